import ArgumentParser
import Foundation
import Gateway
import Logging

/// `switchyard serve`: a gateway and the worker processes that it keeps running.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve a model: a gateway with its own workers on this machine.")

    @OptionGroup var gateway: GatewayOptions

    @Option(help: "Worker processes to run.")
    var workers = 1

    @Option(help: "Sequences that each worker runs at once; by default chosen for the device.")
    var slots: Int?

    @Option(
        help: """
            Where workers run: cpu, cuda:0, or another that `switchyard worker --list-devices` \
            names; several, with commas, are given to the workers in turn.
            """)
    var device: String?

    @Option(help: "Engine threads of each worker; by default the cores, shared between workers.")
    var threads: Int?

    @Option(help: "KV cache of each worker, in tokens; by default chosen from slots and model.")
    var context: Int?

    @Option(help: "Inter-token latency that steps are kept below, in milliseconds.")
    var itlTargetMs: Int?

    @Option(help: "What generates tokens: llama, or simulated (no weights are loaded).")
    var engine = "llama"

    @Option(
        name: .customLong("worker-argument"), parsing: .unconditionalSingleValue,
        help: "A further argument for `switchyard worker`; may be given several times.")
    var workerArguments: [String] = []

    func validate() throws {
        try gateway.validate()
        guard gateway.model != nil else { throw ValidationError("give --model") }
        guard (1...64).contains(workers) else {
            throw ValidationError("--workers must be 1...64: \(workers)")
        }
    }

    func run() async throws {
        let logger = gateway.logger()
        let directory = try DataDirectory(path: gateway.dataDir)
        var commandLine = WorkerCommandLine(
            executable: try Self.executable(), arguments: arguments,
            socketDirectory: try directory.socketDirectory())
        commandLine.devices = device?.split(separator: ",").map(String.init) ?? []
        let supervised = SupervisedWorkers(commandLine: commandLine, count: workers)
        try await GatewayProgram.run(logger: logger) { [gateway] in
            var configuration = try gateway.gatewayConfiguration(dataDirectory: directory)
            configuration.pools[0].supervised = supervised
            return configuration
        }
    }

    private var arguments: [String] {
        var arguments = ["--engine", engine]
        if let slots { arguments += ["--slots", "\(slots)"] }
        arguments += ["--threads", "\(threads ?? defaultThreads)"]
        if let context { arguments += ["--context", "\(context)"] }
        if let itlTargetMs { arguments += ["--itl-target-ms", "\(itlTargetMs)"] }
        arguments += ["--drain-seconds", "\(gateway.drainSeconds)"]
        return arguments + workerArguments
    }

    /// The cores shared between the workers; from three cores on, one is left to the gateway,
    /// since engine threads that wait for a core stall the whole step.
    private var defaultThreads: Int {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        return max(1, (cores > 2 ? cores - 1 : cores) / workers)
    }

    private static func executable() throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    }
}
