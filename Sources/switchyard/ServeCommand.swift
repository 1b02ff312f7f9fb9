import ArgumentParser
import Configuration

/// `switchyard serve`: a gateway and the worker processes that it keeps running.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve models: a gateway with its own workers on this machine.",
        discussion: ConfiguredGateway.discussion)

    @OptionGroup var flags: SettingFlags<ServeProgram>

    @OptionGroup var check: ConfigurationCheck

    func run() async throws {
        try await ConfiguredGateway.run(.serve, flags: flags.given, check: check)
    }
}
