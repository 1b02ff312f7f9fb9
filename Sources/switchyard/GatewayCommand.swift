import ArgumentParser
import Configuration

/// `switchyard gateway`: a gateway before workers that run on their own.
struct GatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "Serve models with workers that run elsewhere.",
        discussion: ConfiguredGateway.discussion)

    @OptionGroup var flags: SettingFlags<RemoteGatewayProgram>

    @OptionGroup var check: ConfigurationCheck

    func run() async throws {
        try await ConfiguredGateway.run(.gateway, flags: flags.given, check: check)
    }
}
