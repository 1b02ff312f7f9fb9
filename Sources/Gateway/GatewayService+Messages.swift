import HTTPTransport
import InferenceAPI
import NIOCore

/// What Anthropic's clients ask for besides generations.
extension GatewayService {
    /// The face whose errors a client of that path expects, whatever it asked for.
    static func errorFace(path target: String) -> any RESTFace {
        let path = target.prefix { $0 != "?" }
        let isMessages = path == "/v1/messages" || path.hasPrefix("/v1/messages/")
        if isMessages { return MessagesFace() }
        return path == "/v1/complete" ? LegacyCompleteFace() : ChatFace()
    }

    /// `POST /v1/messages/count_tokens`: how long the prompt of a message would be, by the model's
    /// own template and vocabulary.
    func countTokens(_ request: Request) throws(APIError) -> any HTTPServerStreamReceiver {
        let face = MessagesFace(isCounting: true)
        let connectionLoop = connectionLoop(of: request.stream)
        let caller = ChatCaller(
            principal: request.principal,
            conversation: RequestHeaders.conversationID(in: request.head))
        let preparation = core.preparation
        let limit = core.serving.current.configuration.limits.preparationLimit
        return try answer(request, face: face) { body, eventLoop in
            guard connectionLoop.preparing < limit else {
                let error = APIError(.queueFull, "Too many requests are being tokenized.")
                return eventLoop.makeSucceededFuture(.failure(error))
            }
            connectionLoop.preparing += 1
            let bound = NIOLoopBound(connectionLoop, eventLoop: eventLoop)
            return preparation.countTokens(body, face, of: caller, on: eventLoop)
                .map { result in
                    result.map { count in
                        var buffer = ByteBuffer()
                        buffer.writeStaticString("{\"input_tokens\":")
                        buffer.writeJSONInteger(count)
                        buffer.writeStaticString("}")
                        return buffer
                    }
                }
                .always { _ in bound.value.preparing -= 1 }
        }
    }
}
