import ArgumentParser

/// `simulated-upstream`: a fake OpenAI server, and a reader of its events.
@main
struct SimulatedUpstreamCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulated-upstream",
        abstract: "A simulated OpenAI upstream, to measure gateways with.",
        subcommands: [Serve.self, Delays.self], defaultSubcommand: Serve.self)
}
