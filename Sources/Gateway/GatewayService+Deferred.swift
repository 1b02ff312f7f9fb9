import HTTPTransport
import InferenceAPI
import NIOCore
import Storage

extension GatewayService {
    /// A request that the storage answers.
    func lookUp(
        _ request: Request, face: any RESTFace = ChatFace(),
        _ operation:
            @escaping @Sendable (any Storage) throws(APIError) -> LookupExchange.Reply
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        LookupExchange(
            request, face: face, metrics: core.metrics,
            answer: try keptState().perform(on: request.stream.eventLoop, operation))
    }

    /// Throws where this gateway keeps nothing.
    func keptState() throws(APIError) -> StorageAccess {
        guard let storage = core.storage else {
            throw APIError(.resourceNotFound, "This gateway keeps nothing: it has no data-dir.")
        }
        return storage
    }

    /// `GET /v1/chat/deferred-completion/{id}` (docs.x.ai, "Deferred chat completions"): 202
    /// without a body while there is no result.
    func deferredCompletion(
        _ request: Request, id: String
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        let owner = request.principal.owner
        return try lookUp(request) { storage throws(APIError) in
            var reply = LookupExchange.Reply()
            guard let answer = try DeferredAnswer.find(id, of: owner, in: storage) else {
                reply.status = 202
                return reply
            }
            switch answer {
            case .completion(let completion):
                ChatFormat(choiceCount: completion.choices.count, includesUsage: false)
                    .write(completion, into: &reply.body)
            case .forwarded(let body): reply.body = ByteBuffer(bytes: body)
            case .failure(let error): throw error
            }
            return reply
        }
    }
}

/// What became of a deferred request.
enum DeferredAnswer {
    /// Nil while there is none. Blocks. Throws `resourceNotFound`, also when its time is over.
    static func find(
        _ id: String, of owner: Owner, in storage: any Storage
    ) throws(APIError) -> StoredAnswer? {
        try job(id, of: owner, in: storage).answer
    }

    static func job(
        _ id: String, of owner: Owner, in storage: any Storage
    ) throws(APIError) -> Job {
        let thing = "deferred completion"
        let job = try kept(thing) { () throws(StorageError) in
            try storage.job(id, of: owner, withBody: true)
        }
        guard job.kind == .deferred else { throw APIError(.notFound, thing: thing) }
        return job
    }
}

extension Job {
    /// Nil while it has none.
    var answer: StoredAnswer? {
        get throws(APIError) {
            guard let result else { return nil }
            do {
                return try StoredAnswer(encoded: result)
            } catch {
                throw APIError(.internal, "The result cannot be read.")
            }
        }
    }
}
