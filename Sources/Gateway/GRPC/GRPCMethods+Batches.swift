import GRPC
import InferenceAPI
import NIOCore
import Storage
import SwiftProtobuf
import XAIProto

extension GRPCMethods {
    mutating func addBatches() {
        add("BatchMgmt/CreateBatch") {
            (request: XaiApi_CreateBatchRequest, batches) throws(APIError) in
            let file = request.inputFileID.isEmpty ? nil : request.inputFileID
            return XaiApi_Batch(try batches.create(name: request.name, inputFileID: file))
        }
        add("BatchMgmt/GetBatch") {
            (request: XaiApi_GetBatchRequest, batches) throws(APIError) in
            XaiApi_Batch(try batches.batch(request.batchID))
        }
        add("BatchMgmt/CancelBatch") {
            (request: XaiApi_CancelBatchRequest, batches) throws(APIError) in
            XaiApi_Batch(try batches.cancel(request.batchID))
        }
        add("BatchMgmt/ListBatches") {
            (request: XaiApi_ListBatchesRequest, batches) throws(APIError) in
            let page = try batches.list(
                try PageRequest(
                    request.limit, request.hasPaginationToken ? request.paginationToken : nil))
            return XaiApi_ListBatchesResponse.with { answer in
                answer.batches = page.items.map { XaiApi_Batch($0) }
                if let next = page.next { answer.paginationToken = String(next) }
            }
        }
        add("BatchMgmt/AddBatchRequests") {
            (request: XaiApi_AddBatchRequestsRequest, batches) throws(APIError) in
            var requests: [NewBatchRequest] = []
            for (index, item) in request.batchRequests.enumerated() {
                requests.append(try NewBatchRequest(item, index: index))
            }
            try batches.add(requests, to: request.batchID)
            return Google_Protobuf_Empty()
        }
        add("BatchMgmt/ListBatchRequestMetadata", batchRequests)
        add("BatchMgmt/ListBatchResults", batchResults)
        add("BatchMgmt/GetBatchRequestResult") {
            (request: XaiApi_GetBatchRequestResultRequest, batches) throws(APIError) in
            let job = try batches.request(request.batchRequestID, of: request.batchID)
            guard job.state.isFinal else {
                throw APIError(.resourceNotFound, "The request has no result yet.")
            }
            let result = try XaiApi_BatchResult(job)
            return XaiApi_GetBatchRequestResultResponse.with { answer in
                answer.request.batchRequestID = job.name ?? job.id
                if let completion = try? XaiApi_GetCompletionsRequest(serializedBytes: job.body),
                    job.face == XAIFace(isStreaming: false).name
                {
                    answer.request.completionRequest = completion
                }
                answer.result = result
            }
        }
    }

    /// A method that works on the caller's batches, on a thread that may block: there messages of
    /// any length are read and written.
    private mutating func add<Request: Message, Answer: Message>(
        _ path: String,
        _ operation: @escaping @Sendable (Request, BatchOperations) throws(APIError) -> Answer
    ) {
        add(
            path,
            bytes: { message, caller throws(APIError) in
                try caller.refuseWhileDraining()
                let access = try caller.keptState()
                let owner = caller.owner
                let limit = caller.core.serving.current.configuration.limits.bodyLimitBytes
                return access.perform(on: caller.eventLoop) { storage throws(APIError) in
                    let answer = try operation(
                        Request(request: message),
                        BatchOperations(storage: storage, owner: owner, bodyLimitBytes: limit))
                    access.wake()
                    return answer.bytes
                }
            })
    }

    private func batchRequests(
        _ request: XaiApi_ListBatchRequestMetadataRequest, _ batches: BatchOperations
    ) throws(APIError) -> XaiApi_ListBatchRequestMetadataResponse {
        let page = try batches.requests(
            of: request.batchID, isFinal: false,
            try PageRequest(
                request.limit, request.hasPaginationToken ? request.paginationToken : nil))
        return .with { answer in
            answer.batchRequestMetadata = page.items.map { XaiApi_BatchRequestMetadata($0) }
                .filter { request.status.isEmpty || request.status.contains($0.state) }
            if let next = page.next { answer.paginationToken = String(next) }
        }
    }

    private func batchResults(
        _ request: XaiApi_ListBatchResultsRequest, _ batches: BatchOperations
    ) throws(APIError) -> XaiApi_ListBatchResultsResponse {
        let page = try batches.requests(
            of: request.batchID, isFinal: true,
            try PageRequest(
                request.limit, request.hasPaginationToken ? request.paginationToken : nil))
        var answer = XaiApi_ListBatchResultsResponse()
        for job in page.items { answer.results.append(try XaiApi_BatchResult(job)) }
        if let next = page.next { answer.paginationToken = String(next) }
        return answer
    }
}

extension PageRequest {
    /// As gRPC's requests have it: 0 for no limit of the client's.
    init(_ limit: Int32, _ token: String?) throws(APIError) {
        try self.init(
            limit: limit == 0 ? nil : Int(limit), token: token.flatMap { $0.isEmpty ? nil : $0 })
    }
}

extension NewBatchRequest {
    init(_ request: XaiApi_BatchRequest, index: Int) throws(APIError) {
        guard case .completionRequest(let completion)? = request.request else {
            throw APIError(
                .unsupported, "Only requests for completions can be in a batch.",
                parameter: "batch_requests[\(index)]")
        }
        let id = Identifier.batchRequest()
        let name = request.batchRequestID
        guard name.utf8.count <= 512 else {
            throw APIError(
                .invalidValue, "Expected at most 512 bytes.",
                parameter: "batch_requests[\(index)].batch_request_id")
        }
        guard let body: [UInt8] = try? completion.serializedBytes() else {
            throw APIError(.invalidValue, "The request cannot be encoded.")
        }
        self.init(
            id: id, name: name.isEmpty ? id : name, face: XAIFace(isStreaming: false).name,
            body: body, model: completion.model)
    }
}

extension Google_Protobuf_Timestamp {
    init(milliseconds: Int64) {
        self.init(
            seconds: milliseconds / 1_000, nanos: Int32(milliseconds % 1_000) * 1_000_000)
    }
}

extension XaiApi_Batch {
    init(_ batch: Batch) {
        self.init()
        batchID = batch.id
        name = batch.name
        createTime = .init(milliseconds: batch.createdMilliseconds)
        expireTime = .init(milliseconds: batch.expiresMilliseconds)
        createApiKeyID = batch.owner.keyID
        if let cancelled = batch.cancelledMilliseconds {
            cancelTime = .init(milliseconds: cancelled)
        }
        if let file = batch.inputFileID { inputFileID = file }
        state = .with {
            $0.numRequests = Int64(batch.counts.total)
            $0.numPending = Int64(batch.counts.pending)
            $0.numSuccess = Int64(batch.counts.succeeded)
            $0.numError = Int64(batch.counts.failed)
            $0.numCancelled = Int64(batch.counts.cancelled)
        }
    }
}

extension XaiApi_BatchRequestMetadata {
    init(_ job: Job) {
        self.init()
        batchRequestID = job.name ?? job.id
        endpoint = Faces.path(of: job.face)
        model = job.model
        switch job.state {
        case .pending, .running: state = .pending
        case .succeeded: state = .succeeded
        case .cancelled: state = .cancelled
        case .failed: state = .failed
        }
        createTime = .init(milliseconds: job.createdMilliseconds)
        if let finished = job.finishedMilliseconds { finishTime = .init(milliseconds: finished) }
    }
}

extension XaiApi_BatchResult {
    /// Of a request that has ended.
    init(_ job: Job) throws(APIError) {
        self.init()
        batchRequestID = job.name ?? job.id
        switch try job.finalAnswer {
        case .completion(let completion):
            response.completionResponse = try job.response(completion)
        case .forwarded:
            error.code = Int32(APIErrorGRPCCode.unimplemented.rawValue)
            error.message = "The answer is an upstream's; fetch it over REST."
        case .failure(let failure):
            error.code = Int32(failure.kind.status.grpc.rawValue)
            error.message = failure.message
        }
    }
}
