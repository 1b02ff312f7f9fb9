import ArgumentParser
import Foundation
import LlamaEngine
import Logging
import Worker

/// `switchyard worker`: one process, one device, one model, N slots.
///
/// Standard output carries exactly one line, JSON, once a token can be generated; logs go to
/// standard error. Exit status: 0 after a drain, 64 wrong usage, 66 no such model, 69 the address
/// is taken, 70 the engine broke, 78 refused settings, or what device, memory or model do not allow
/// (`ExitCodes.swift`).
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Run one model on one device and serve token ids to gateways.",
        discussion: """
            Speaks vllm.grpc.engine.VllmEngine over HTTP/2. SIGTERM drains: running requests go \
            on until --drain-seconds, then the process exits 0; a second signal ends it at once. \
            SIGHUP reads certificates, keys and tokens again. Each flag has a twin in the \
            environment (--slots: SWITCHYARD_SLOTS).
            """)

    @OptionGroup var flags: SettingFlags<WorkerProgram>

    @Flag(help: "Say what devices there are, and end.")
    var listDevices = false

    @Flag(help: "With --list-devices: as JSON.")
    var json = false

    func run() async throws {
        if listDevices { return try DeviceList.write(asJSON: json) }
        let settings = try WorkerSettingsReader.values(flags.given)
        let signals = TerminationSignals()
        let hangups = SignalStream([SIGHUP])
        var logger = Logger(label: "switchyard.worker") {
            StreamLogHandler.standardError(label: $0)
        }
        logger.logLevel = Logger.Level(rawValue: settings.requiredText(.logLevel)) ?? .info
        Library.routeLog { [logger] level, text in
            logger.log(level: level >= .error ? .error : .warning, "\(text)")
        }
        let runtime: WorkerRuntime
        do {
            runtime = try await WorkerRuntime.start(
                try WorkerSettingsReader.configuration(settings), logger: logger)
        } catch let error as WorkerError {
            Output.error(error.description)
            throw Self.exitCode(error)
        }
        Output.line(runtime.readyLine)
        if settings.isOn(.lifeline) { Lifeline.watch { _exit(0) } }
        let reloading = Task { [logger] in
            for await _ in hangups.signals {
                do {
                    try runtime.reload()
                } catch {
                    logger.error("nothing was reloaded", metadata: ["reason": "\(error)"])
                }
            }
        }
        defer { reloading.cancel() }
        try await finish(runtime, signals, writesStatistics: settings.isOn(.statsAtExit))
    }

    /// Waits for a signal or the engine's end.
    private func finish(
        _ runtime: WorkerRuntime, _ signals: TerminationSignals, writesStatistics: Bool
    ) async throws {
        let asking = Task {
            var asked = 0
            for await _ in signals.signals {
                asked += 1
                if asked > 1 { _exit(0) }
                Task { await runtime.drain() }
            }
        }
        defer { asking.cancel() }
        do {
            try await runtime.waitForEnd()
        } catch {
            Output.error(error.description)
            if writesStatistics { Output.error(runtime.statisticsLine) }
            throw Self.exitCode(error)
        }
        if writesStatistics { Output.error(runtime.statisticsLine) }
    }

    static func exitCode(_ error: WorkerError) -> ExitCode {
        switch error {
        case .setting, .plaintextOffLoopback, .access, .unsuited: .configuration
        case .model: .noInput
        case .listen: .unavailable
        case .engine: .software
        }
    }
}
