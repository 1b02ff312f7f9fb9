import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct ForwardedRequestTests {
    private func forward(_ json: String, isStreaming: Bool = false) throws -> String {
        try ForwardedRequest(ByteBuffer(string: json), isStreaming: isStreaming)
            .body(model: "their \"model\"").text
    }

    @Test func onlyTheModelChanges() throws {
        #expect(
            try forward(#"{ "model" : "ours", "messages":[{"role":"user"}] , "x_new":1e2,"n":2}"#)
                == #"{"model":"their \"model\"","messages":[{"role":"user"}],"x_new":1e2,"n":2}"#)
        #expect(try forward(#"{"model":"a","model":"b"}"#) == #"{"model":"their \"model\""}"#)
    }

    @Test func streamsAreAskedForTheirUsage() throws {
        let asked = #","stream_options":{"include_usage":true"#
        #expect(
            try forward(#"{"stream":true}"#, isStreaming: true)
                == #"{"model":"their \"model\"","stream":true"# + asked + "}}")
        #expect(
            try forward(
                #"{"stream_options":{"include_usage":false,"other":[1],"x":2},"stream":true}"#,
                isStreaming: true)
                == #"{"model":"their \"model\"","stream":true"# + asked + #","other":[1],"x":2}}"#)
        #expect(
            try forward(#"{"stream_options":null}"#, isStreaming: true)
                == #"{"model":"their \"model\"""# + asked + "}}")
        // Servers refuse the options of a stream without one.
        #expect(
            try forward(#"{"stream_options":{"include_usage":true}}"#)
                == #"{"model":"their \"model\""}"#)
    }

    @Test func theModelIsFoundWithoutTheRest() {
        func model(_ json: String) -> String? {
            ChatCompletionRequest.model(of: ByteBuffer(string: json))
        }
        #expect(model(#"{"messages":[1,{"model":"no"}],"model":"a\u0062"}"#) == "ab")
        #expect(model(#"{"model":"a","model":"b"}"#) == "b")
        for json in ["{}", "[]", #"{"model":1}"#, #"{"model":"a""#, ""] {
            #expect(model(json) == nil)
        }
    }

    @Test func errorsOfAllKindsAreRead() {
        func decode(_ json: String) -> UpstreamError? {
            UpstreamError.decode(ByteBuffer(string: json))
        }
        let ours = decode(
            #"{"error":{"message":"too long","type":"t","param":"messages","code":"c"}}"#)
        #expect(ours?.message == "too long" && ours?.parameter == "messages" && ours?.code == "c")
        let llama = decode(
            #"{"error":{"code":400,"message":"m","type":"exceed_context_size_error","n_ctx":1}}"#)
        #expect(llama?.isContextExceeded == true && llama?.status == 400)
        #expect(decode(#"{"object":"error","message":"m","code":404}"#)?.status == 404)
        #expect(decode(#"{"detail":"Not Found"}"#)?.message == "Not Found")
        #expect(decode(#"{"error":"loading"}"#)?.message == "loading")
        for json in ["", "<html>", "{}", "[]", "null", #"{"detail":[{"loc":[]}]}"#] {
            #expect(decode(json) == nil, "\(json)")
        }
        let long = decode(#"{"message":"\#(String(repeating: "é", count: 5_000))"}"#)
        #expect((long?.message.utf8.count ?? 0) <= UpstreamError.messageBytesLimit + 3)
    }
}
