import InferenceTypes
import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct ForwardedAnswerTests {
    private let head = ForwardedHead(
        id: "chatcmpl-ours", model: "ours", systemFingerprint: "fp_ours")

    private func read(_ json: String) throws -> ForwardedAnswer {
        try ForwardedAnswer(Array(json.utf8))
    }

    private func write(_ json: String, includesUsage: Bool = true) throws -> String {
        let answer = try read(json)
        return written { answer.write(head, includesUsage: includesUsage, into: &$0) }
    }

    /// As llama-server writes it.
    private let chunk = #"""
        {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hi \"é\" 漢"}}],\#
        "created":17,"id":"chatcmpl-theirs","model":"/models/x.gguf","system_fingerprint":"b1",\#
        "object":"chat.completion.chunk","timings":{"prompt_ms":1.25e+1}}
        """#

    @Test func onlyTheIdentityChanges() throws {
        #expect(
            try write(chunk) == #"""
                {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hi \"é\" 漢"}}],\#
                "created":17,"id":"chatcmpl-ours","model":"ours","system_fingerprint":"fp_ours",\#
                "object":"chat.completion.chunk","timings":{"prompt_ms":1.25e+1}}
                """#)
        #expect(try write("{ }") == "{}")
        #expect(try write(#"{"id":1,"model":null}"#) == #"{"id":"chatcmpl-ours","model":"ours"}"#)
        #expect(try write(#"{ "a" : [ 1 , 2 ] , "b":{}}"#) == #"{"a" : [ 1 , 2 ],"b":{}}"#)
    }

    @Test func usageIsReadAndLeftOutWhenNotAskedFor() throws {
        let json = #"""
            {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":30,"total_tokens":42,\#
            "prompt_tokens_details":{"cached_tokens":8},"completion_tokens_details":null}}
            """#
        let answer = try read(json)
        #expect(answer.isUsageOnly && !answer.hasOutput)
        #expect(
            answer.usage == Usage(promptTokens: 12, cachedTokens: 8, completionTokens: 30))
        #expect(try write(json) == json)
        #expect(try write(json, includesUsage: false) == #"{"choices":[]}"#)
        #expect(try write(#"{"usage":null}"#, includesUsage: false) == "{}")
        #expect(try read(#"{"choices":[],"usage":null}"#).isUsageOnly == false)
    }

    /// OpenAI counts reasoning into the completion, xAI beside it.
    @Test(arguments: [(142, 30), (172, 60)])
    func reasoningIsCountedOnce(total: Int, visible: Int) throws {
        let usage = try read(
            #"""
            {"usage":{"prompt_tokens":82,"completion_tokens":60,"total_tokens":\#(total),\#
            "completion_tokens_details":{"reasoning_tokens":30}}}
            """#
        ).usage
        #expect(
            usage == Usage(promptTokens: 82, completionTokens: visible, reasoningTokens: 30))
        #expect(usage?.totalTokens == total)
    }

    @Test(arguments: [
        (#"{"role":"assistant"}"#, false), (#"{"role":"assistant","content":null}"#, false),
        (#"{"role":"assistant","content":"","tool_calls":[]}"#, false), ("{}", false),
        (#"{"content":"a"}"#, true), (#"{"reasoning_content":"a"}"#, true),
        (#"{"reasoning":"a","content":""}"#, true), (#"{"refusal":"no"}"#, true),
        (#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}"#, true),
        (#"{"function_call":{"name":"f"}}"#, true),
    ])
    func aRoleIsNoOutput(delta: String, hasOutput: Bool) throws {
        let answer = try read(#"{"choices":[{"index":0,"delta":\#(delta)}]}"#)
        #expect(answer.hasOutput == hasOutput)
        #expect(answer.outputPieces == (hasOutput ? 1 : 0))
    }

    @Test func endsAreSeen() throws {
        let answer = try read(
            #"""
            {"choices":[{"index":1,"delta":{},"finish_reason":"stop"},\#
            {"delta":{"content":"a"},"finish_reason":null},\#
            {"index":2,"message":{"content":"b"},"finish_reason":"tool_calls"}]}
            """#)
        #expect(
            answer.finishes == [
                .init(index: 1, reason: "stop"), .init(index: 2, reason: "tool_calls"),
            ]
        )
        #expect(answer.hasOutput && answer.outputPieces == 2 && answer.hasChoices)
        #expect(!answer.hasNoChoices)
    }

    @Test func errorsAreSeen() throws {
        #expect(try read(#"{"error":null}"#).error == nil)
        let answer = try read(#"{"error":{"message":"out of memory","code":500}}"#)
        #expect(answer.error?.message == "out of memory")
        #expect(answer.error?.status == 500)
        #expect(!answer.hasChoices)
    }

    @Test func whatSpansLinesIsJoined() throws {
        let answer = try read("{\"choices\":\r\n[\n],\"x\":\n1}")
        let text = written {
            answer.write(head, includesUsage: true, joinsLines: true, into: &$0)
        }
        #expect(text == "{\"choices\":  [ ],\"x\": 1}")
    }

    @Test(arguments: [
        "", "[]", "{", "{\"choices\":{}}", "{\"choices\":[{\"delta\":[]}]}", "{\"usage\":1}",
        "{} x",
        "{\"id\":\"\u{1}\"}",
    ])
    func otherThingsAreNoAnswers(json: String) {
        #expect(throws: JSONError.self) { try read(json) }
    }

    @Test func replaysTheCorpus() throws {
        let corpus = try Fixture.corpus("upstream") + Fixture.corpus("json")
        #expect(corpus.count >= 45)
        for file in corpus { fuzzUpstream(file.bytes) }
    }

    @Test(arguments: 0..<2_000 as Range<UInt64>)
    func survivesMutants(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let corpus = try Self.corpus.get().map(\.bytes)
        var bytes = corpus.randomElement(using: &generator)!
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let index = Int.random(in: 0...bytes.count, using: &generator)
            if index < bytes.count, Bool.random(using: &generator) {
                bytes.remove(at: index)
            } else {
                let byte = Array("{}[],:\"\\\r\n data".utf8).randomElement(using: &generator)!
                bytes.insert(byte, at: index)
            }
        }
        fuzzUpstream(bytes)
    }

    private static let corpus = Result { try Fixture.corpus("upstream") }
}
