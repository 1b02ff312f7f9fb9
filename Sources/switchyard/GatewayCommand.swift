import ArgumentParser
import Foundation
import Gateway
import HTTPTransport

/// `switchyard gateway`: a gateway before workers that run on their own.
struct GatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "Serve a model with workers that run elsewhere.")

    @OptionGroup var gateway: GatewayOptions

    @Option(help: "A worker: unix:/path or host:port; may be given several times.")
    var worker: [WorkerAddress] = []

    @Flag(help: "Allow workers without TLS on addresses other than loopback.")
    var allowPlaintextWorkers = false

    func validate() throws {
        try gateway.validate()
        guard !worker.isEmpty else { throw ValidationError("give at least one --worker") }
        for address in worker {
            guard case .tcp(let host, _) = address.endpoint, !Loopback.contains(host) else {
                continue
            }
            guard allowPlaintextWorkers else {
                throw ValidationError(
                    "the link to \(host) would be plaintext: give --allow-plaintext-workers")
            }
        }
    }

    func run() async throws {
        let logger = gateway.logger()
        let directory = try DataDirectory(path: gateway.dataDir)
        let workers = worker.map { WorkerSettings($0.endpoint) }
        try await GatewayProgram.run(logger: logger) { [gateway] in
            var configuration = try gateway.gatewayConfiguration(dataDirectory: directory)
            configuration.pools[0].workers = workers
            return configuration
        }
    }
}

/// `unix:/path` or `host:port`.
struct WorkerAddress: ExpressibleByArgument {
    let endpoint: HTTPEndpoint

    init?(argument: String) {
        guard let endpoint = HTTPEndpoint(text: argument) else { return nil }
        self.endpoint = endpoint
    }
}
