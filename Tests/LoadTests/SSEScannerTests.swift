import Testing

@testable import LoadGenerator

@Suite struct SSEScannerTests {
    /// A stream as llama-server, Switchyard and OpenAI write it: role first, then deltas, finish,
    /// usage and the end.
    static let stream = """
        data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":null}

        : keepalive

        data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}

        data: {"choices": [{"delta": {"content": " \\"content\\":\\"x\\" \\"error\\":1"}}]}

        data: {"choices":[{"index":0,"delta":{"reasoning_content":"a"}}],"error":null}

        data: {"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}

        data: {"choices":[],"usage":{"completion_tokens":31,"prompt_tokens":12,\
        "prompt_tokens_details":{"cached_tokens":8}}}

        data: [DONE]


        """

    private func expectWhole(_ scanner: SSEScanner) {
        #expect(scanner.tally.deltas == 3)
        #expect(scanner.tally.comments == 1)
        #expect(scanner.tally.finish == .length)
        #expect(scanner.tally.isDone)
        #expect(!scanner.tally.hasError)
        #expect(scanner.tally.promptTokens == 12)
        #expect(scanner.tally.completionTokens == 31)
        #expect(scanner.tally.cachedTokens == 8)
    }

    private func scanned(_ text: String) -> SSEScanner {
        var scanner = SSEScanner()
        _ = scanner.scan(Array(text.utf8).span)
        return scanner
    }

    @Test func countsDeltasAndReadsUsage() {
        expectWhole(scanned(Self.stream))
    }

    @Test func readsCarriageReturns() {
        expectWhole(
            scanned(
                Self.stream.split(separator: "\n", omittingEmptySubsequences: false)
                    .joined(separator: "\r\n")))
    }

    @Test func splitsDoNotMatter() {
        let bytes = Array(Self.stream.utf8)
        for split in 0...bytes.count {
            var scanner = SSEScanner()
            var deltas = scanner.scan(Array(bytes[..<split]).span)
            deltas += scanner.scan(Array(bytes[split...]).span)
            #expect(deltas == 3, "split at \(split)")
            expectWhole(scanner)
        }
        var scanner = SSEScanner()
        for byte in bytes { _ = scanner.scan([byte].span) }
        expectWhole(scanner)
    }

    @Test func keepsTheTextAsItIsWritten() {
        var scanner = SSEScanner()
        scanner.keepsText = true
        _ = scanner.scan(Array(Self.stream.utf8).span)
        #expect(
            String(decoding: scanner.tally.text, as: UTF8.self)
                == "Hi \\\"content\\\":\\\"x\\\" \\\"error\\\":1")
    }

    @Test func valuesAreNoKeys() {
        let scanner = scanned(
            "data: {\"a\":\"error\",\"b\":[\"content\",\"x\\\\\"],\"c\":\"error\"}\n")
        #expect(!scanner.tally.hasError)
        #expect(scanner.tally.deltas == 0)
    }

    @Test func seesErrors() {
        #expect(scanned("data: {\"error\":{\"message\":\"no\"}}\n\n").tally.hasError)
        #expect(scanned("error: {\"code\":500}\n\n").tally.hasError)
        #expect(!scanned("data: {\"error\":null}\n\n").tally.hasError)
        #expect(!scanned("event: message\n\n").tally.hasError)
    }

    @Test func boundsTheLine() {
        var scanner = SSEScanner()
        let piece = [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 16)
        for _ in 0...16 { _ = scanner.scan(piece.span) }
        #expect(scanner.tally.hasError)
    }

    @Test func aTruncatedStreamIsNotDone() {
        #expect(!scanned("data: {\"choices\":[]}\n\ndata: [DONE").tally.isDone)
    }
}
