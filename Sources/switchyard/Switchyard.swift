import ArgumentParser

/// The server binary: every role is a subcommand in a file of its own.
@main
struct Switchyard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switchyard",
        abstract: "An inference gateway: chat clients in front, batched workers behind.",
        version: "0.1.0",
        subcommands: [
            ServeCommand.self, GatewayCommand.self, WorkerCommand.self, WorkersCommand.self,
            PoolsCommand.self, ModelsCommand.self, WhyCommand.self, ChatCommand.self,
            TenantsCommand.self, KeysCommand.self, LicenseCommand.self, UsageCommand.self,
            ReloadCommand.self, ServiceLevelsCommand.self,
            CheckConfigCommand.self, QuantizeCommand.self,
        ])
}
