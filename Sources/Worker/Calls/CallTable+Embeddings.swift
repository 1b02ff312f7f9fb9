import EngineProtocol
import GRPC
import NIOCore

extension CallTable {
    /// Takes a valid request, or ends the call with the reason why not.
    func embed(_ request: EngineEmbedRequest, _ call: EngineEmbedCall) {
        if let refusal {
            metrics.refused[.draining].increment()
            return call.fail(refusal)
        }
        lastEmbedding += 1
        let key = lastEmbedding
        let eventLoop = call.eventLoop
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let job = EmbeddingJob(request.tokens) { outcome in
            eventLoop.execute { bound.value.embedded(key, outcome) }
        }
        embeddings[key] = (call, job)
        call.onCancel = { [weak self] in
            guard let entry = self?.embeddings.removeValue(forKey: key) else { return }
            entry.job.cancel()
            self?.metrics.cancelled.increment()
        }
        guard mailbox.submit(.embed(job)) else {
            embeddings[key] = nil
            metrics.refused[.queueFull].increment()
            return call.fail(
                GRPCStatus(
                    .resourceExhausted,
                    "the engine's mailbox is full (\(mailbox.submissionsMax) submissions)"))
        }
    }

    private func embedded(_ key: UInt64, _ outcome: EmbeddingJob.Outcome) {
        // Nothing when it was cancelled meanwhile.
        guard let (call, job) = embeddings.removeValue(forKey: key) else { return }
        switch outcome {
        case .vector(let vector):
            call.finish(EngineEmbedding(vector: vector, promptTokens: job.tokens.count))
        case .full(let limit):
            metrics.refused[.queueFull].increment()
            call.fail(GRPCStatus(.resourceExhausted, "\(limit) embeddings wait already"))
        case .failed(let message):
            metrics.failed.increment()
            call.fail(GRPCStatus(.internalError, "the engine failed: \(message)"))
        case .ended:
            call.fail(refusal ?? GRPCStatus(.unavailable, "the worker ends"))
        }
    }

    func failEmbeddings(_ status: GRPCStatus) {
        let open = embeddings
        embeddings.removeAll()
        for (call, job) in open.sorted(by: { $0.key < $1.key }).map(\.value) {
            job.cancel()
            call.fail(status)
        }
    }
}
