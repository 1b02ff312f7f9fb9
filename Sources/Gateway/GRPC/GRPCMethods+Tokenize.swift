import HTTPTransport
import InferenceAPI
import NIOCore

extension GRPCMethods {
    mutating func addTokenize() {
        add(
            "Tokenize/TokenizeText",
            bytes: { message, caller throws(APIError) in
                let (preparation, principal) = (caller.core.preparation, caller.principal)
                return try caller.connectionLoop.prepare { () throws(APIError) in
                    let text = try preparation.tokenize(
                        TokenizeTextRequest(xai: message, limits: ChatRequestLimits()),
                        for: principal)
                    var answer = ByteBuffer()
                    text.writeXAI(into: &answer)
                    return answer
                }
            })
    }
}

extension GatewayService {
    /// `POST /v1/tokenize-text`.
    func tokenizeText(_ request: Request) throws(APIError) -> any HTTPServerStreamReceiver {
        let (preparation, principal) = (core.preparation, request.principal)
        let loop = loops.onLoop(request.stream.eventLoop)
        return try answer(request) { body, eventLoop in
            do throws(APIError) {
                return try loop.prepare { () throws(APIError) in
                    let text = try preparation.tokenize(
                        TokenizeTextRequest(body, limits: ChatRequestLimits()),
                        for: principal)
                    var answer = ByteBuffer()
                    text.write(into: &answer)
                    return answer
                }
            } catch {
                return eventLoop.makeSucceededFuture(.failure(error))
            }
        }
    }
}
