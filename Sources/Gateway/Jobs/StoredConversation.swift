import InferenceAPI
import NIOCore
import Storage

/// What was said before a request that continues a stored answer. Every call blocks.
struct StoredConversation {
    private static let thing = "response"
    /// Answers in a row that a request may continue.
    static let turnsLimit = 256
    /// Bytes of their requests and answers together.
    static let bytesLimit = 64 << 20

    let storage: any Storage
    let owner: Owner
    let limits: ChatRequestLimits

    /// The request's messages behind all earlier ones, whose instructions are left out where the
    /// face tells them from messages.
    func messages(of request: FaceRequest, after previous: String) throws(APIError) -> [ChatMessage]
    {
        var turns: [[ChatMessage]] = []
        var next: String? = previous
        var bytes = 0
        while let id = next {
            guard turns.count < Self.turnsLimit else {
                throw APIError(
                    .invalidValue, "More than \(Self.turnsLimit) answers would be continued.",
                    parameter: "previous_response_id")
            }
            let stored = try find(id)
            bytes += stored.body.count + stored.completion.count
            guard bytes <= Self.bytesLimit else {
                throw APIError(
                    .contextLengthExceeded,
                    "The conversation has more than \(Self.bytesLimit) bytes.",
                    parameter: "previous_response_id")
            }
            turns.append(try turn(stored))
            next = stored.previousID
        }
        let history = turns.reversed().flatMap(\.self)
        if let format = request.format as? ResponsesFormat {
            return format.messages(of: request.chat, after: history)
        }
        return history + request.chat.messages
    }

    private func find(_ id: String) throws(APIError) -> StoredResponse {
        do throws(StorageError) {
            return try storage.response(id, of: owner)
        } catch {
            var refusal = APIError(error, thing: Self.thing)
            refusal.parameter = "previous_response_id"
            throw refusal
        }
    }

    private func turn(_ stored: StoredResponse) throws(APIError) -> [ChatMessage] {
        let request = try stored.request(limits)
        let completion = try stored.answer
        if let format = request.format as? ResponsesFormat {
            return format.history(of: request.chat, completion)
        }
        guard let choice = completion.choices.first else { return request.chat.messages }
        var answer = ChatMessage(
            role: .assistant,
            content: choice.content.isEmpty && !choice.toolCalls.isEmpty ? nil : choice.content)
        answer.reasoningContent = choice.reasoningContent
        answer.toolCalls = choice.toolCalls
        return request.chat.messages + [answer]
    }
}

extension StoredResponse {
    /// A request and its answer, as they are kept.
    init(
        _ completion: Completion, to chat: ChatRequest, body: ByteBuffer, face: any Face,
        owner: Owner
    ) {
        self.init(
            id: completion.head.id, owner: owner, tier: completion.head.serviceTier.name,
            face: face.name, body: Array(buffer: body), previousID: chat.previousResponseID,
            completion: StoredAnswer.completion(completion).encoded,
            createdMilliseconds: UnixClock.milliseconds())
    }

    /// The request as its face reads it.
    func request(_ limits: ChatRequestLimits) throws(APIError) -> FaceRequest {
        guard let face = Faces.named(face) else {
            throw APIError(.internal, "Nothing here reads requests of this kind.")
        }
        return try face.decode(ByteBuffer(bytes: body), limits: limits)
    }

    var answer: Completion {
        get throws(APIError) {
            guard case .completion(let completion)? = try? StoredAnswer(encoded: self.completion)
            else { throw APIError(.internal, "The stored answer cannot be read.") }
            return completion
        }
    }
}

extension ChatRequestLimits {
    /// For requests that were accepted before: what was allowed then is still.
    static var ofStoredRequests: ChatRequestLimits {
        var limits = ChatRequestLimits()
        limits.allowsDeferred = true
        limits.allowsBackground = true
        return limits
    }
}

extension StorageAccess {
    /// Succeeds when the answer cannot be lost any more.
    func store(
        _ response: StoredResponse, on eventLoop: any EventLoop
    ) -> EventLoopFuture<Result<Void, APIError>> {
        perform(on: eventLoop) { storage throws(APIError) in
            try kept("response") { () throws(StorageError) in try storage.store(response) }
        }
    }
}
