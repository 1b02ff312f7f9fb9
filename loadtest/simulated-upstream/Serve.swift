import ArgumentParser
import Foundation
import SimulatedUpstream

/// Serves made-up answers over HTTP/1.1 until it is ended.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve chat completions, streamed or whole, with made-up tokens.",
        discussion: """
            Prints its address as JSON when it listens. GET /stats tells its own lateness.
            """)

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port. 0: the system chooses.")
    var port = 0

    @Option(help: "The model's name.")
    var model = "simulated"

    @Option(help: "Milliseconds between tokens of a stream. 0: as fast as they are read.")
    var stepMs = 0.0

    @Option(help: "Milliseconds from a request to its first token.")
    var ttftMs = 0.0

    @Option(help: "Moments of a step over which streams are spread. 1: all tokens come together.")
    var phases = 1

    @Option(help: "Unpaced: events in a write.")
    var eventsPerWrite = 1

    @Flag(help: "Tokens are the times at which they are written, for `delays`.")
    var stamps = false

    @Option(help: "Tokens of an answer without max_tokens.")
    var tokens = 16

    @Option(help: "Event loops.")
    var threads = 1

    func run() async throws {
        var configuration = UpstreamConfiguration()
        configuration.host = host
        configuration.port = port
        configuration.model = model
        configuration.stepMilliseconds = stepMs
        configuration.firstTokenMilliseconds = ttftMs
        configuration.phases = phases
        configuration.eventsPerWrite = eventsPerWrite
        configuration.isStamped = stamps
        configuration.defaultTokens = tokens
        configuration.threads = threads
        let upstream = try await SimulatedUpstream.start(configuration)
        let listens = "\(host):\(upstream.address?.port ?? port)"
        FileHandle.standardOutput.write(Data("{\"listen\":\"\(listens)\"}\n".utf8))
        try await upstream.run()
    }

    func validate() throws {
        guard (0...65_535).contains(port), stepMs >= 0, stepMs <= 60_000, ttftMs >= 0,
            ttftMs <= 600_000, (1...10_000).contains(phases), (1...1_024).contains(eventsPerWrite),
            tokens > 0, (1...64).contains(threads)
        else { throw ValidationError("a number is outside of its range") }
    }
}
