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

    private var upstream: UpstreamConfiguration {
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
        return configuration
    }

    func run() async throws {
        let upstream = try await SimulatedUpstream.start(self.upstream)
        let listens = "\(host):\(upstream.address?.port ?? port)"
        FileHandle.standardOutput.write(Data("{\"listen\":\"\(listens)\"}\n".utf8))
        try await upstream.run()
    }

    func validate() throws {
        do {
            try upstream.check()
        } catch {
            throw ValidationError("\(error)")
        }
    }
}
