import InferenceTypes
import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct EmbeddingsTests {
    private func decode(_ body: String) throws(APIError) -> EmbeddingsRequest {
        try EmbeddingsRequest.decode(ByteBuffer(string: body))
    }

    @Test(arguments: [
        (#""Hi""#, [RawPrompt.text("Hi")]),
        (#"["a","b"]"#, [.text("a"), .text("b")]),
        ("[1,2]", [.tokens([1, 2])]),
        ("[[1],[2,3]]", [.tokens([1]), .tokens([2, 3])]),
    ])
    func readsAllFormsOfInputs(_ input: String, _ expected: [RawPrompt]) throws {
        #expect(try decode(#"{"model":"m","input":\#(input)}"#).inputs == expected)
    }

    @Test func readsTheOtherFields() throws {
        let request = try decode(
            #"{"user":"u","encoding_format":"base64","dimensions":8,"input":"a","model":"m","x":1}"#
        )
        #expect(request.encoding == .base64)
        #expect(request.dimensions == 8)
        #expect(request.user == "u")
        let plain = try decode(#"{"input":"a","model":"m","encoding_format":null,"user":null}"#)
        #expect(plain.encoding == .float && plain.dimensions == nil)
    }

    @Test(arguments: [
        (#"{"input":"a"}"#, APIErrorKind.missingParameter, "model"),
        (#"{"model":"m"}"#, .missingParameter, "input"),
        (#"{"model":"m","input":null}"#, .missingParameter, "input"),
        (#"{"model":"m","input":""}"#, .invalidValue, "input"),
        (#"{"model":"m","input":[]}"#, .invalidValue, "input"),
        (#"{"model":"m","input":["a",""]}"#, .invalidValue, "input[1]"),
        (#"{"model":"m","input":[[]]}"#, .invalidValue, "input[0]"),
        (#"{"model":"m","input":["a",1]}"#, .invalidType, "input[1]"),
        (#"{"model":"m","input":[1,"a"]}"#, .invalidType, "input[1]"),
        (#"{"model":"m","input":[[1],2]}"#, .invalidType, "input[1]"),
        (#"{"model":"m","input":[-1]}"#, .invalidValue, "input[0]"),
        (#"{"model":"m","input":[1.5]}"#, .invalidType, "input[0]"),
        (#"{"model":"m","input":{}}"#, .invalidType, "input"),
        (#"{"model":1,"input":"a"}"#, .invalidType, "model"),
        (#"{"model":"m","input":"a","encoding_format":"int8"}"#, .invalidValue, "encoding_format"),
        (#"{"model":"m","input":"a","dimensions":0}"#, .invalidValue, "dimensions"),
    ])
    func refuses(_ body: String, _ kind: APIErrorKind, _ parameter: String) {
        let error = #expect(throws: APIError.self) { try decode(body) }
        #expect(error?.kind == kind)
        #expect(error?.parameter == parameter)
    }

    @Test func boundsTheNumberOfInputs() {
        let inputs = Array(repeating: "\"a\"", count: 2_049).joined(separator: ",")
        let error = #expect(throws: APIError.self) {
            try decode(#"{"model":"m","input":[\#(inputs)]}"#)
        }
        #expect(error?.parameter == "input")
    }

    /// Of Python: base64.b64encode(struct.pack("<3f", 0.5, -1, 0.1)), with 1 and 2 values too.
    @Test func writesBothEncodings() {
        let answer = EmbeddingsAnswer(
            model: "m", vectors: [[0.5, -1, 0.1], [0.5], [0.5, -1]], promptTokens: 7)
        var floats = ByteBuffer()
        answer.write(.float, into: &floats)
        #expect(
            String(buffer: floats)
                == #"{"object":"list","data":[{"object":"embedding","index":0,"embedding":"#
                + #"[0.5,-1.0,0.1]},{"object":"embedding","index":1,"embedding":[0.5]},"#
                + #"{"object":"embedding","index":2,"embedding":[0.5,-1.0]}],"model":"m","#
                + #""usage":{"prompt_tokens":7,"total_tokens":7}}"#)
        var coded = ByteBuffer()
        answer.write(.base64, into: &coded)
        let text = String(buffer: coded)
        for expected in ["AAAAPwAAgL/NzMw9", "AAAAPw==", "AAAAPwAAgL8="] {
            #expect(text.contains("\"embedding\":\"\(expected)\""))
        }
    }
}
