import NIOCore
import Testing

@testable import LoadGenerator

@Suite struct RequestTests {
    @Test func targetsAreRead() throws {
        let plain = try #require(LoadTarget(url: "http://127.0.0.1:8080"))
        #expect(plain.authority == "127.0.0.1:8080")
        #expect(plain.prefix == "")
        let prefixed = try #require(LoadTarget(url: "http://[::1]:80/api/"))
        #expect(prefixed.host == "::1")
        #expect(prefixed.authority == "[::1]:80")
        #expect(prefixed.prefix == "/api")
        #expect(try #require(LoadTarget(url: "http://localhost")).port == 80)
        for url in ["https://a", "http://", "http://a:b", "http://a:70000", "a:1"] {
            #expect(LoadTarget(url: url) == nil)
        }
    }

    @Test func promptsDifferAndRepeatBySeed() {
        let source = PromptSource.words(tokens: 40, seed: 5)
        #expect(source.prompt(3) == source.prompt(3))
        #expect(source.prompt(3) != source.prompt(4))
        #expect(source.prompt(0).split(separator: " ").count == 40)
        #expect(PromptSource.list(["a", "b"]).prompt(3) == "b")
    }

    @Test func bodiesAreJSON() {
        var body = ChatRequestBody()
        body.maxTokens = 9
        body.ignoresEndOfSequence = true
        body.extraMembers = ["\"top_p\":0.5"]
        #expect(
            String(buffer: body.encoded(prompt: "a \"b\"\n\u{1}é")) == """
                {"model":"default","messages":[{"role":"user","content":"a \\"b\\"\\n\\u0001é"}],\
                "stream":true,"stream_options":{"include_usage":true},"max_tokens":9,\
                "ignore_eos":true,"temperature":0.0,"top_p":0.5}
                """)
    }

    @Test func probeWindowsCatchTheGapThatEndsAfterThem() {
        let open = ProbeState.Window(start: 10, end: nil)
        #expect(open.overlaps(from: 5, to: 11))
        #expect(!open.overlaps(from: 5, to: 10))
        let closed = ProbeState.Window(start: 10, end: 20)
        #expect(closed.overlaps(from: 19, to: 40))
        #expect(!closed.overlaps(from: 20, to: 40))
    }

    @Test func processTimesAreRead() {
        let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20"
        #expect(ProcessSample.cpuTicks(stat: stat) == 300)
        #expect(ProcessSample.cpuTicks(stat: "garbage") == nil)
        #expect(ProcessSample.residentKiB(status: "Name:\tx\nVmRSS:\t  1234 kB\n") == 1_234)
        #expect(ProcessSample(pid: Int32.max) == nil)
    }
}
