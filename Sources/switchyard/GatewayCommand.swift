import ArgumentParser
import Foundation
import Gateway

/// `switchyard gateway`: a gateway before workers that run on their own.
struct GatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "Serve a model with workers that run elsewhere.")

    @OptionGroup var gateway: GatewayOptions

    @OptionGroup(title: "Workers")
    var workers: WorkerLinkOptions

    func validate() throws {
        try gateway.validate()
        try workers.validate()
        guard (gateway.model == nil) == !workers.upstream.isEmpty else {
            throw ValidationError("give --model, or --upstream and --model-name")
        }
        guard gateway.model != nil || gateway.modelName != nil else {
            throw ValidationError("--upstream needs --model-name")
        }
    }

    func run() async throws {
        let logger = gateway.logger()
        let directory = try DataDirectory(path: gateway.dataDir)
        try await GatewayProgram.run(logger: logger) { [gateway, workers] in
            var configuration = try gateway.gatewayConfiguration(dataDirectory: directory)
            workers.apply(to: &configuration.pools[0])
            return configuration
        }
    }
}
