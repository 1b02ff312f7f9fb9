import Testing

@testable import LoadGenerator

@Suite struct TraceTests {
    @Test func mooncakeIsRead() throws {
        let trace = try TraceReader.trace(
            """
            {"timestamp": 3000, "input_length": 700, "output_length": 0, "hash_ids": [0, 7]}
            {"timestamp": 0, "input_length": 10, "output_length": 5, "hash_ids": [0]}

            """)
        #expect(trace.blockTokens == 512)
        #expect(
            trace.records == [
                .init(instant: 0, input: 10, output: 5, blocks: [0]),
                .init(instant: 3_000_000_000, input: 700, output: 1, blocks: [0, 7]),
            ])
    }

    @Test func azureIsRead() throws {
        let trace = try TraceReader.trace(
            """
            TIMESTAMP,ContextTokens,GeneratedTokens\r
            2023-12-31 23:59:59.5000000,374,44\r
            2024-01-01 00:00:01.7500000,396,109\r
            2024-03-01 00:00:00,1,2\r

            """)
        #expect(trace.records.map(\.instant) == [0, 2_250_000_000, 5_184_000_500_000_000])
        #expect(trace.records.map(\.input) == [374, 396, 1])
        #expect(trace.records.map(\.output) == [44, 109, 2])
        let zoned = try TraceReader.trace(
            "TIMESTAMP,ContextTokens,GeneratedTokens\n"
                + "2024-05-10 00:00:00.009930+00:00,1,2\n2024-05-10 00:00:01.009930+00:00,3,4\n")
        #expect(zoned.records.map(\.instant) == [0, 1_000_000_000])
    }

    @Test func otherTablesAreRead() throws {
        let normal = try TraceReader.trace(
            "arrival_ms,input_tokens,output_tokens\n5,1,2\n9.5,3,4\n")
        #expect(normal.records.map(\.instant) == [0, 4_500_000])
        let burst = try TraceReader.trace(
            "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
                + "5,ChatGPT,472,18,490,Conversation log\n")
        #expect(burst.records == [.init(instant: 0, input: 472, output: 18)])
    }

    @Test func ourFormatKeepsEverything() throws {
        let trace = Trace(
            blockTokens: 16,
            records: [
                .init(instant: 0, input: 40, output: 1, blocks: [0, 1, 2, 9, 4, .max]),
                .init(instant: 12_345_678, input: 0, output: 7, className: "chat"),
            ])
        let text = try trace.text()
        #expect(try TraceReader.trace(text) == trace)
        #expect(text.contains("\"0-2,9,4,18446744073709551615\""))
        #expect(
            text.hasPrefix("{\"block_tokens\":16,\"format\":\"switchyard-trace\",\"version\":1}\n"))
    }

    @Test(arguments: [
        ("", 1, "an empty file"),
        ("a,b\n1,2\n", 1, "no known format"),
        ("arrival_ms,input_tokens,output_tokens\n", 1, "no requests"),
        ("arrival_ms,input_tokens,output_tokens\n1,2\n", 2, "2 columns"),
        ("arrival_ms,input_tokens,output_tokens\n1,2,3\n\nx,2,3\n", 4, "no time: \"x\""),
        ("arrival_ms,input_tokens,output_tokens\n1,2,y\n", 2, "numbers of tokens"),
        ("arrival_ms,input_tokens,output_tokens\n1,-2,3\n", 2, "input tokens: -2"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\nnoon,2,3\n", 2, "no time"),
        ("{\"timestamp\":1,\"input_length\":2}\n", 1, "\"output_length\" is missing"),
        ("{\"timestamp\":1,\"input_length\":\"2\",\"output_length\":1}\n", 1, "\"input_length\""),
        ("{\"timestamp\":1,\n", 1, "not JSON"),
        ("{\"format\":\"switchyard-trace\",\"version\":2,\"block_tokens\":1}\n", 1, "version 2"),
    ])
    func problemsNameTheLine(_ text: String, _ line: Int, _ words: String) throws {
        let error = #expect(throws: TraceError.self) { try TraceReader.trace(text) }
        #expect(error?.line == line)
        #expect(error?.message.contains(words) == true, "\(String(describing: error))")
    }

    @Test(arguments: ["", "1-", "2-1", "a", "1,,2", "0-1000000000000", "-3"])
    func blockListsAreChecked(_ list: String) throws {
        let text =
            "{\"format\":\"switchyard-trace\",\"version\":1,\"block_tokens\":1}\n"
            + "{\"ms\":0,\"in\":9,\"out\":1,\"blocks\":\"\(list)\"}\n"
        let error = #expect(throws: TraceError.self) { try TraceReader.trace(text) }
        #expect(error?.line == 2)
    }

    @Test func jitterSpreadsAndKeepsTheOrder() throws {
        let trace = Trace(records: (0..<1_000).map { _ in .init(instant: 0, input: 1, output: 1) })
        let moved = trace.jittered(milliseconds: 3_000, seed: 4)
        #expect(moved == trace.jittered(milliseconds: 3_000, seed: 4))
        #expect(moved != trace.jittered(milliseconds: 3_000, seed: 5))
        let instants = moved.records.map(\.instant)
        #expect(instants == instants.sorted())
        #expect(instants[0] == 0 && instants[999] < 3_000_000_000 && instants[999] > 2_900_000_000)
        #expect(moved.first(3).records.count == 3)
    }

    @Test func replaysAreScaled() {
        var replay = TraceReplay(
            Trace(records: [
                .init(instant: 0, input: 1, output: 1), .init(instant: 1_000, input: 1, output: 1),
            ]))
        replay.timeScale = 0.5
        #expect(replay.instants == [0, 500])
    }
}
