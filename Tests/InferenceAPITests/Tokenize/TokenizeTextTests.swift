import NIOCore
import Testing
import XAIProto

@testable import InferenceAPI

@Suite struct TokenizeTextTests {
    @Test func requestsComeAsJSONOrAsAMessage() throws {
        let limits = ChatRequestLimits()
        let json = try TokenizeTextRequest(
            ByteBuffer(string: #"{"text":"a","user":"u","model":"m"}"#), limits: limits)
        let message = try TokenizeTextRequest(
            xai: XaiApi_TokenizeTextRequest.with {
                $0.text = "a"
                $0.model = "m"
            }.buffer, limits: limits)
        #expect(json == message)
        #expect(json.model == "m" && json.text == "a")
    }

    @Test(arguments: [
        (#"{"text":"a"}"#, "model"), (#"{"model":"","text":"a"}"#, "model"),
        (#"{"model":"m"}"#, "text"), (#"{"model":"m","text":null}"#, "text"),
        (#"{"model":"m","text":1}"#, "text"),
    ])
    func refusalsNameTheField(_ body: String, _ parameter: String) {
        let error = #expect(throws: APIError.self) {
            try TokenizeTextRequest(ByteBuffer(string: body), limits: ChatRequestLimits())
        }
        #expect(error?.parameter == parameter)
    }

    @Test func partsOfCodePointsAreShownAndKept() throws {
        let text = TokenizedText(
            model: "m",
            tokens: [.init(id: 1, bytes: [0x41]), .init(id: 2, bytes: [0xC3])])
        #expect(
            written { text.write(into: &$0) }
                == #"{"token_ids":[{"token_id":1,"string_token":"A","token_bytes":[65]},"#
                + #"{"token_id":2,"string_token":"�","token_bytes":[195]}]}"#)
        var buffer = ByteBuffer()
        text.writeXAI(into: &buffer)
        let message = try XaiApi_TokenizeTextResponse(
            serializedBytes: Array(buffer.readableBytesView))
        #expect(message.model == "m")
        #expect(message.tokens.map(\.tokenID) == [1, 2])
        #expect(message.tokens.map(\.stringToken) == ["A", "\u{FFFD}"])
        #expect(message.tokens.map { Array($0.tokenBytes) } == [[0x41], [0xC3]])
    }
}
