import ArgumentParser
import Foundation
import LoadGenerator

/// `switchyard-load import`: other people's traces become ours.
struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Write a recorded trace in our format, for --trace and scenarios.",
        discussion: """
            Reads Mooncake's JSON lines, Azure's LLM inference tables (also with arrival_ms, \
            input_tokens and output_tokens), BurstGPT's tables, and our own format; the first line \
            tells which it is.
            """)

    @Argument(help: "The trace to read.")
    var input: String

    @Option(name: .shortAndLong, help: "Where to write it. Default: to stdout.")
    var output: String?

    @Option(help: "Move each request by a time of its own below this, for coarse clocks.")
    var jitterMs = 0.0

    @Option(help: "Chooses these times. Default: 1.")
    var seed: UInt64?

    @Option(help: "Only so many requests, from the first.")
    var first: Int?

    func run() throws {
        var trace = try TraceInput.trace(input, option: "import")
        if let first { trace = trace.first(first) }
        if jitterMs > 0 { trace = trace.jittered(milliseconds: jitterMs, seed: seed ?? 1) }
        let text = Data(try trace.text().utf8)
        if let output {
            try text.write(to: URL(fileURLWithPath: output), options: .atomic)
        } else {
            FileHandle.standardOutput.write(text)
        }
        let rate = trace.seconds > 0 ? Double(trace.records.count) / trace.seconds : 0
        FileHandle.standardError.write(
            Data(
                "\(trace.records.count) requests in \(trace.seconds) s, \(rate) a second\n".utf8))
    }

    func validate() throws {
        guard first ?? 1 > 0, (0...1e9).contains(jitterMs) else {
            throw ValidationError("--first and --jitter-ms must be positive")
        }
        guard seed == nil || jitterMs > 0 else { throw ValidationError("--seed needs --jitter-ms") }
    }
}
