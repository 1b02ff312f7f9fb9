import HTTPTransport
import InferenceAPI
import NIOCore
import Storage

/// `/v1/batches` (docs.x.ai, "Batch API").
extension GatewayService {
    func createBatch(_ request: Request) throws(APIError) -> any HTTPServerStreamReceiver {
        try refuseWhileDraining()
        return try change(request) { body, batches throws(APIError) in
            let (name, file) = try BatchBodies.create(body)
            return Self.body(of: try batches.create(name: name, inputFileID: file))
        }
    }

    func addBatchRequests(
        _ request: Request, id: String
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        try refuseWhileDraining()
        return try change(request) { body, batches throws(APIError) in
            var requests: [NewBatchRequest] = []
            for item in try BatchBodies.add(body) {
                requests.append(try BatchOperations.request(item))
            }
            try batches.add(requests, to: id)
            return ByteBuffer(string: "{}")
        }
    }

    /// It has no body, but may have one.
    func cancelBatch(
        _ request: Request, id: String
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        let access = try keptState()
        return try batches(request) { batches throws(APIError) in
            let batch = try batches.cancel(id)
            access.wake()
            return Self.body(of: batch)
        }
    }

    func batches(_ request: Request) throws(APIError) -> any HTTPServerStreamReceiver {
        let page = try PageRequest(request.head.path)
        return try batches(request) { batches throws(APIError) in
            let found = try batches.list(page)
            var body = ByteBuffer()
            try body.writePage("batches", found.items, next: found.next.map(String.init)) {
                BatchDescription($0).write(into: &$1)
            }
            return body
        }
    }

    func batch(_ request: Request, id: String) throws(APIError) -> any HTTPServerStreamReceiver {
        try batches(request) { batches throws(APIError) in
            Self.body(of: try batches.batch(id))
        }
    }

    func batchRequests(
        _ request: Request, id: String
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        let page = try PageRequest(request.head.path)
        return try batches(request) { batches throws(APIError) in
            let found = try batches.requests(of: id, isFinal: false, page)
            var body = ByteBuffer()
            try body.writePage(
                "batch_request_metadata", found.items, next: found.next.map(String.init)
            ) { BatchRequestDescription($0).write(into: &$1) }
            return body
        }
    }

    func batchResults(
        _ request: Request, id: String
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        let page = try PageRequest(request.head.path)
        return try batches(request) { batches throws(APIError) in
            let found = try batches.requests(of: id, isFinal: true, page)
            var body = ByteBuffer()
            try body.writePage("results", found.items, next: found.next.map(String.init)) {
                job, buffer throws(APIError) in
                BatchRequestDescription.writeResult(
                    id: job.name ?? job.id, try job.finalAnswer, into: &buffer)
            }
            return body
        }
    }

    private static func body(of batch: Batch) -> ByteBuffer {
        var body = ByteBuffer()
        BatchDescription(batch).write(into: &body)
        return body
    }

    /// A request without a body.
    private func batches(
        _ request: Request,
        _ operation: @escaping @Sendable (BatchOperations) throws(APIError) -> ByteBuffer
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        let owner = request.principal.owner
        let limit = core.serving.current.configuration.limits.bodyLimitBytes
        return try lookUp(request) { storage throws(APIError) in
            let batches = BatchOperations(
                storage: storage, owner: owner, bodyLimitBytes: limit)
            return LookupExchange.Reply(body: try operation(batches))
        }
    }

    /// A request whose body says what is to be done.
    private func change(
        _ request: Request,
        _ operation:
            @escaping @Sendable (ByteBuffer, BatchOperations) throws(APIError) -> ByteBuffer
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        let access = try keptState()
        let owner = request.principal.owner
        let limit = core.serving.current.configuration.limits.bodyLimitBytes
        return try answer(request) { body, eventLoop in
            access.perform(on: eventLoop) { storage throws(APIError) in
                let batches = BatchOperations(
                    storage: storage, owner: owner, bodyLimitBytes: limit)
                let answer = try operation(body, batches)
                access.wake()
                return answer
            }
        }
    }
}
