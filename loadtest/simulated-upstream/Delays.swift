import ArgumentParser
import Foundation
import SimulatedUpstream

/// Opens streams and measures how long their stamped events take.
struct Delays: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how long events take from a stamping upstream to a client.",
        discussion: """
            Prints {"phase":"measuring"} when the measurement begins and a report at its end, both \
            as JSON. Times are microseconds. The upstream must run on the same machine, with \
            --stamps.
            """)

    @Option(help: "http://host:port of the upstream, or of what stands in front of it.")
    var url: String

    @Option(help: "The model's name.")
    var model = "simulated"

    @Option(help: "Streams at once, each on a connection of its own.")
    var streams = 100

    @Option(help: "Seconds in which streams are opened and warmed up.")
    var warmUpSeconds = 2.0

    @Option(help: "Seconds to measure.")
    var seconds = 10.0

    func run() async throws {
        guard let url = URL(string: url), url.scheme == "http", let host = url.host else {
            throw ValidationError("--url \(url): expected http://host:port")
        }
        var configuration = EventDelayRun.Configuration(
            host: host, port: url.port ?? 80, model: model)
        configuration.streams = streams
        configuration.warmUpSeconds = warmUpSeconds
        configuration.seconds = seconds
        let report = try await EventDelayRun.perform(configuration) {
            FileHandle.standardOutput.write(Data("{\"phase\":\"measuring\"}\n".utf8))
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        print(String(decoding: try encoder.encode(report), as: UTF8.self))
        if report.delay == nil { throw ExitCode.failure }
    }

    func validate() throws {
        guard (1...20_000).contains(streams), (0...600).contains(warmUpSeconds),
            (0.001...600).contains(seconds)
        else {
            throw ValidationError(
                "--streams is 1...20000, --warm-up-seconds 0...600 and --seconds 0.001...600")
        }
    }
}
