import ArgumentParser
import Configuration

/// `switchyard check-config FILE`: the same as `switchyard serve --check-config --config FILE`.
struct CheckConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check a configuration file of `serve` and print the values in force.")

    @Argument(help: "The configuration file, YAML.")
    var file: String

    @Flag(help: "It is a file of `gateway`.")
    var gateway = false

    func run() async throws {
        try ConfiguredGateway.printValues(
            ConfiguredGateway.source(gateway ? .gateway : .serve, flags: ["config": [file]]))
    }
}

/// `--check-config`, which is no setting: it neither stands in a file nor in the environment.
struct ConfigurationCheck: ParsableArguments {
    @Flag(
        name: .customLong("check-config"),
        help: "Check the configuration, print the values in force, and end.")
    var isWanted = false
}
