import InferenceTypes
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
                + "5,ChatGPT,472,18,490,Conversation log\n"
                + "7.5,\"GPT-4, \"\"turbo\"\"\",30,0,30,API log\n")
        #expect(
            burst.records == [
                .init(instant: 0, input: 472, output: 18),
                .init(instant: 2_500_000_000, input: 30, output: 1),
            ])
    }

    @Test func ourFormatKeepsEverything() throws {
        let trace = Trace(
            blockTokens: 16,
            records: [
                .init(instant: 0, input: 81, output: 1, blocks: [0, 1, 2, 9, 4, .max]),
                .init(instant: 12_345_678, input: 0, output: 7, className: "chat"),
            ])
        let text = try trace.text()
        #expect(try TraceReader.trace(text) == trace)
        #expect(text.contains("\"0-2,9,4,18446744073709551615\""))
        #expect(
            text.hasPrefix("{\"block_tokens\":16,\"format\":\"switchyard-trace\",\"version\":1}\n"))
    }

    @Test func ourFormatKeepsEveryInstant() throws {
        var generator = SeededGenerator(seed: 2)
        let instants = [0] + (0..<2_000).map { _ in generator.next() % 1_000_000_000_000 }
        let trace = Trace(records: instants.map { .init(instant: $0, input: 1, output: 1) })
        #expect(try TraceReader.trace(try trace.text()) == trace)
    }

    @Test func namesBehindAPromptsEndAreLeftOut() throws {
        let trace = try TraceReader.trace(
            "{\"timestamp\":0,\"input_length\":513,\"output_length\":1,"
                + "\"hash_ids\":[1,2,3,4]}\n")
        #expect(trace.records.map(\.blocks) == [[1, 2]])
        #expect(try TraceReader.trace(try trace.text()) == trace)
    }

    @Test func linesAndBlocksAreBounded() throws {
        let long = String(repeating: "1", count: TraceReader.lineBytesMax + 1)
        let line = #expect(throws: TraceError.self) {
            try TraceReader.trace("arrival_ms,input_tokens,output_tokens\n1,2,\(long)\n")
        }
        #expect(line == TraceError(line: 2, message: "more than 4194304 bytes"))
        let blocks = #expect(throws: TraceError.self) {
            try TraceReader.trace(
                "{\"format\":\"switchyard-trace\",\"version\":1,\"block_tokens\":1}\n"
                    + "{\"ms\":0,\"in\":99999999,\"out\":1,\"blocks\":\"0-99999998\"}\n")
        }
        #expect(blocks == TraceError(line: 2, message: "more than 50000000 blocks in the file"))
    }

    @Test func replaysAreBounded() {
        let trace = Trace(records: [
            .init(instant: 0, input: 1, output: 1),
            .init(instant: 1_000_000_000_000_000_000, input: 100_000, output: 100_000_000),
        ])
        #expect(throws: Never.self) { try TraceReplay(trace) }
        for (time, prompt, output, words) in [
            (1.1, 1.0, 1.0, "time scale"), (1e6, 1, 1, "time scale"), (.infinity, 1, 1, "time"),
            (1, 1e6, 1, "prompt scale"), (1, 101, 1, "prompt scale"), (1, 1, 2, "output scale"),
            (-1, 1, 1, "time scale"), (.nan, 1, 1, "time scale"),
        ] {
            let error = #expect(throws: TraceError.self) {
                try TraceReplay(
                    trace, timeScale: time, promptScale: prompt, outputScale: output)
            }
            #expect(error?.description.contains(words) == true, "\(String(describing: error))")
        }
    }

    @Test func replaysKnowTheirClasses() throws {
        let trace = Trace(records: [
            .init(instant: 0, input: 1, output: 1),
            .init(instant: 1, input: 1, output: 1, className: "chat"),
        ])
        var (chat, other) = (TrafficClass(), TrafficClass())
        (chat.name, other.name) = ("chat", "other")
        #expect(try TraceReplay(trace).unknownClass(in: [other, chat]) == nil)
        #expect(try TraceReplay(trace).unknownClass(in: [other]) == "chat")
        #expect(try TraceReplay(trace).unknownClass(in: [TrafficClass()]) == "chat")
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
        ("Timestamp,Request tokens,Response tokens\ninf,2,3\n", 2, "no time"),
        ("Timestamp,Request tokens,Response tokens\n0,2,3\n1e300,2,3\n", 3, "no time"),
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

    @Test(arguments: [
        "9223372036854775807-01-01 00:00:00", "2024-13-01 00:00:00", "2024-x-01-01 00:00:00",
        "2024-01-32 00:00:00", "2024-01-01 9223372036854775807:00:00", "2024-01-01 00:60:00",
        "2024-01-01 00:00:1e300", "2024-01-01 00:00:nan", "2024-01-01 00:00",
    ])
    func datesAreChecked(_ date: String) {
        let error = #expect(throws: TraceError.self) {
            try TraceReader.trace("TIMESTAMP,ContextTokens,GeneratedTokens\n\(date),2,3\n")
        }
        #expect(error?.line == 2 && error?.message.contains("no time") == true)
    }

    @Test(arguments: ["", "1-", "2-1", "a", "1,,2", "0-1000000000000", "-3", "0-9"])
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

    @Test func replaysAreScaled() throws {
        let replay = try TraceReplay(
            Trace(records: [
                .init(instant: 0, input: 1, output: 1), .init(instant: 1_000, input: 1, output: 1),
            ]), timeScale: 0.5)
        #expect(replay.instants == [0, 500])
    }
}
