import ArgumentParser

/// `switchyard-load`: one file for each of its commands.
@main
struct SwitchyardLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switchyard-load",
        abstract: "Measure a server of streamed chat completions.",
        subcommands: [
            RunCommand.self, ReportCommand.self, CompareCommand.self, FindKneeCommand.self,
            ImportCommand.self,
        ],
        defaultSubcommand: RunCommand.self)
}
