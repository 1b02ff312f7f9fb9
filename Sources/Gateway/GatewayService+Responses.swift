import HTTPTransport
import InferenceAPI
import NIOCore
import Storage

/// Stored responses (OpenAI, "Responses"; docs.x.ai, "Get a previously generated response").
extension GatewayService {
    func storedResponse(
        _ request: Request, id: String
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        let owner = request.principal.owner
        return try lookUp(request) { storage throws(APIError) in
            LookupExchange.Reply(body: try Self.response(id, of: owner, in: storage))
        }
    }

    func deleteResponse(
        _ request: Request, id: String
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        let owner = request.principal.owner
        let access = try keptState()
        return try lookUp(request) { storage throws(APIError) in
            // One in the background that has not ended never will.
            let wasJob: Void? = try Self.found {
                () throws(StorageError) in try storage.deleteJob(id, .background, of: owner)
            }
            access.wake()
            let wasStored: Void? = try Self.found {
                () throws(StorageError) in try storage.deleteResponse(id, of: owner)
            }
            guard wasJob != nil || wasStored != nil else {
                throw APIError(.notFound, thing: "response")
            }
            var reply = LookupExchange.Reply()
            reply.body.writeStaticString("{\"id\":")
            reply.body.writeJSONString(id)
            reply.body.writeStaticString(",\"object\":\"response\",\"deleted\":true}")
            return reply
        }
    }

    func responseInputItems(
        _ request: Request, id: String
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        let owner = request.principal.owner
        let page = try ResponsesItemPage(Query(of: request.head.path))
        return try lookUp(request) { storage throws(APIError) in
            let body: [UInt8]
            if let job = try Self.job(id, of: owner, in: storage) {
                body = job.body
            } else {
                body = try Self.stored(id, of: owner, in: storage).body
            }
            var reply = LookupExchange.Reply()
            try ResponsesFormat.writeInputItems(
                of: ByteBuffer(bytes: body), responseID: id, page, into: &reply.body)
            return reply
        }
    }

    /// Only what runs in the background can be cancelled.
    func cancelResponse(
        _ request: Request, id: String
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        let owner = request.principal.owner
        let access = try keptState()
        return try lookUp(request) { storage throws(APIError) in
            do throws(StorageError) {
                _ = try storage.cancel(
                    job: id, .background, of: owner, now: UnixClock.milliseconds())
            } catch {
                guard error == .notFound else { throw APIError(error, thing: "response") }
                _ = try Self.stored(id, of: owner, in: storage)
                throw APIError(
                    .invalidValue, "Only responses in the background can be cancelled.")
            }
            access.wake()
            return LookupExchange.Reply(body: try Self.response(id, of: owner, in: storage))
        }
    }

    // MARK: Blocking

    /// A response's job in the background; nil when it has none.
    private static func job(
        _ id: String, of owner: Owner, in storage: any Storage
    ) throws(APIError) -> Job? {
        let job = try found { () throws(StorageError) in
            try storage.job(id, of: owner, withBody: true)
        }
        return job?.kind == .background ? job : nil
    }

    /// Nil for what is not there; that the storage failed is not taken for it.
    private static func found<Value>(
        _ operation: () throws(StorageError) -> Value
    ) throws(APIError) -> Value? {
        do {
            return try operation()
        } catch {
            guard error == .notFound else { throw APIError(error, thing: "response") }
            return nil
        }
    }

    /// A response's object, whole or as far as it is.
    private static func response(
        _ id: String, of owner: Owner, in storage: any Storage
    ) throws(APIError) -> ByteBuffer {
        var body = ByteBuffer()
        if let job = try job(id, of: owner, in: storage), job.state != .succeeded {
            try write(job, into: &body)
            return body
        }
        let stored = try Self.stored(id, of: owner, in: storage)
        try stored.request(.ofStoredRequests).format.write(stored.answer, into: &body)
        return body
    }

    /// Of this face only: what others stored has no such object.
    private static func stored(
        _ id: String, of owner: Owner, in storage: any Storage
    ) throws(APIError) -> StoredResponse {
        let found = try kept("response") { () throws(StorageError) in
            try storage.response(id, of: owner)
        }
        guard found.face == ResponsesFace().name else {
            throw APIError(.notFound, thing: "response")
        }
        return found
    }

    /// A response in the background that has no answer.
    private static func write(_ job: Job, into body: inout ByteBuffer) throws(APIError) {
        let request = try ResponsesFace().decode(
            ByteBuffer(bytes: job.body), limits: .ofStoredRequests)
        guard let format = request.format as? ResponsesFormat else { return }
        let state: UnfinishedResponse =
            switch job.state {
            case .pending: .queued
            case .running: .inProgress
            case .cancelled: .cancelled
            case .succeeded, .failed: .failed(try job.error)
            }
        format.write(ChatResponseHead(job), state, into: &body)
    }
}

extension Job {
    fileprivate var error: APIError {
        get throws(APIError) {
            guard case .failure(let error)? = try answer else {
                return APIError(.internal, "The result cannot be read.")
            }
            return error
        }
    }
}

extension ChatResponseHead {
    /// Of an answer that is not there yet.
    init(_ job: Job) {
        self.init(
            id: job.id, created: Int(job.createdMilliseconds / 1_000), model: job.model,
            systemFingerprint: nil, serviceTier: .init(name: job.tier) ?? .standard)
    }
}
