import InferenceAPI
import InferenceTypes
import NIOCore
import Storage

extension NewJob {
    /// A request that was decoded and can be served, to be run later.
    init(
        _ kind: Job.Kind, idPrefix: String = "", _ body: ByteBuffer, _ chat: ChatRequest,
        face: any Face, owner: Owner, tier: ServiceTier
    ) {
        var generator = SystemRandomNumberGenerator()
        self.init(
            id: idPrefix + Identifier.request((generator.next(), generator.next())), owner: owner,
            tier: tier.name, kind: kind, face: face.name,
            body: Array(buffer: body), model: chat.model)
    }
}

extension StorageAccess {
    /// Succeeds when the job cannot be lost any more.
    func accept(
        _ job: NewJob, on eventLoop: any EventLoop
    ) -> EventLoopFuture<Result<Void, APIError>> {
        perform(on: eventLoop) { storage throws(APIError) in
            try kept("job") { () throws(StorageError) in
                try storage.accept(job, now: UnixClock.milliseconds())
            }
            wake()
        }
    }
}
