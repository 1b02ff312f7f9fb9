import GRPC
import InferenceAPI
import NIOCore
import Storage
import SwiftProtobuf
import XAIProto

extension GRPCMethods {
    /// Deferred and stored completions.
    mutating func addStored() {
        add("Chat/StartDeferredCompletion") { call, caller throws(APIError) in
            try caller.refuseWhileDraining()
            return GRPCExchange(
                call, face: XAIFace(isStreaming: false), isDeferred: true,
                context: try caller.generationContext(), on: caller.connectionLoop)
        }
        add("Chat/GetDeferredCompletion", future: Self.getDeferred)
        add("Chat/GetStoredCompletion", future: Self.getStored)
        add("Chat/DeleteStoredCompletion", future: Self.deleteStored)
    }

    /// Failures are the call's status: xai-sdk has no way to tell what a FAILED one failed of.
    private static func getDeferred(
        _ request: XaiApi_GetDeferredRequest, _ caller: GRPCCaller
    ) throws(APIError) -> EventLoopFuture<Result<XaiApi_GetDeferredCompletionResponse, APIError>> {
        let (id, owner) = (request.requestID, caller.owner)
        return try caller.look { storage throws(APIError) in
            var response = XaiApi_GetDeferredCompletionResponse()
            let job = try DeferredAnswer.job(id, of: owner, in: storage)
            switch try job.answer {
            case nil: response.status = .pending
            case .completion(let completion):
                response.status = .done
                response.response = try job.response(completion)
            case .forwarded:
                throw APIError(
                    .unsupported, "The answer is an upstream's; fetch it over REST.")
            case .failure(let error): throw error
            }
            return response
        }
    }

    private static func getStored(
        _ request: XaiApi_GetStoredCompletionRequest, _ caller: GRPCCaller
    ) throws(APIError) -> EventLoopFuture<Result<XaiApi_GetChatCompletionResponse, APIError>> {
        let (id, owner) = (request.responseID, caller.owner)
        return try caller.look { storage throws(APIError) in
            let found = try kept("stored completion") { () throws(StorageError) in
                try storage.response(id, of: owner)
            }
            let format =
                try found.request(.ofStoredRequests).format as? XAIFormat ?? XAIFormat()
            return try .init(found.answer, format: format)
        }
    }

    private static func deleteStored(
        _ request: XaiApi_DeleteStoredCompletionRequest, _ caller: GRPCCaller
    ) throws(APIError) -> EventLoopFuture<
        Result<XaiApi_DeleteStoredCompletionResponse, APIError>
    > {
        let (id, owner) = (request.responseID, caller.owner)
        return try caller.look { storage throws(APIError) in
            try kept("stored completion") { () throws(StorageError) in
                try storage.deleteResponse(id, of: owner)
            }
            return .with { $0.responseID = id }
        }
    }
}

extension GRPCCaller {
    var owner: Owner { principal.owner }

    /// Throws where this gateway keeps nothing.
    func keptState() throws(APIError) -> StorageAccess {
        guard let storage = core.storage else {
            throw APIError(.unsupported, "This gateway keeps nothing: it has no data-dir.")
        }
        return storage
    }

    /// An answer that the storage has.
    func look<Answer: Sendable>(
        _ operation: @escaping @Sendable (any Storage) throws(APIError) -> Answer
    ) throws(APIError) -> EventLoopFuture<Result<Answer, APIError>> {
        try keptState().perform(on: eventLoop, operation)
    }

    func refuseWhileDraining() throws(APIError) {
        guard core.status.isDraining else { return }
        throw APIError(.draining, "This gateway is shutting down; try another one.")
    }
}

extension XaiApi_GetChatCompletionResponse {
    /// - Parameter format: of the request, whose parameters show in the answer.
    init(_ completion: Completion, format: XAIFormat) throws(APIError) {
        var bytes = ByteBuffer()
        format.write(completion, into: &bytes)
        do {
            try self.init(serializedBytes: Array(buffer: bytes))
        } catch {
            throw APIError(.internal, "The answer cannot be read.")
        }
    }
}

extension Job {
    /// Its answer as gRPC has it. `settings` are told where the request came over gRPC too.
    func response(
        _ completion: Completion
    ) throws(APIError) -> XaiApi_GetChatCompletionResponse {
        let face = XAIFace(isStreaming: false)
        var format = XAIFormat()
        if self.face == face.name, !body.isEmpty {
            let request = try face.decode(ByteBuffer(bytes: body), limits: .ofStoredRequests)
            if let own = request.format as? XAIFormat { format = own }
        }
        return try .init(completion, format: format)
    }
}
