import InferenceTypes
import Testing

@Suite struct TraceContextTests {
    private static let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    @Test func readsAndWritesVersion0() throws {
        let context = try #require(TraceContext(traceparent: [Self.valid]))
        #expect(context.traceID.text == "0af7651916cd43dd8448eb211c80319c")
        #expect(context.spanID == 0xb7ad_6b71_6920_3331)
        #expect(context.isSampled)
        #expect(context.traceparent == Self.valid)
    }

    @Test func readsLaterVersionsAndDropsWhatItDoesNotKnow() throws {
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-f9-more"
        #expect(try #require(TraceContext(traceparent: [later])).traceparent == Self.valid)
        let zeros = "00-0000000000000000000000000000000a-0000000000000001-00"
        #expect(try #require(TraceContext(traceparent: [zeros])).traceparent == zeros)
    }

    @Test(arguments: [
        "", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c+b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
    ])
    func refusesWhatIsMalformed(_ text: String) {
        #expect(TraceContext(traceparent: [text]) == nil)
    }

    @Test func refusesTwo() {
        #expect(TraceContext(traceparent: [Self.valid, Self.valid]) == nil)
        #expect(TraceContext(traceparent: []) == nil)
    }

    private func state(_ values: String...) -> String? {
        TraceContext(traceparent: [Self.valid], tracestate: values)?.state
    }

    @Test func joinsTheMembersOfTracestate() {
        #expect(state("a=1, b@c=2 3 ,,", "d=4") == "a=1,b@c=2 3,d=4")
        #expect(state() == "")
    }

    @Test(arguments: ["A=1", "=1", "a=", "a", "a=1=2", "a=\u{7F}", "a=1,a=2"])
    func dropsAMalformedTracestateAlone(_ text: String) {
        #expect(state(text) == "")
    }

    @Test func boundsTracestate() {
        let many = (0..<33).map { "k\($0)=v" }.joined(separator: ",")
        #expect(state(many) == "")
        let long = "long=" + String(repeating: "x", count: 200)
        let short = (0..<20).map { "k\($0)=" + String(repeating: "y", count: 20) }
        let kept = short.joined(separator: ",")
        #expect(kept.utf8.count < 512)
        #expect(state(long + "," + kept) == kept)
    }
}
