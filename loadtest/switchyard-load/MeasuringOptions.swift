import ArgumentParser
import Foundation
import HTTPTransport
import LoadGenerator

/// What answers have to meet, and how a run shows itself.
struct MeasuringOptions: ParsableArguments {
    @Option(
        name: .customLong("slo-ttft-ms"),
        help: "Good answers begin within so long. Any --slo option adds goodput to the report.")
    var timeToFirstToken: Double?

    @Option(name: .customLong("slo-itl-ms"), help: "Good answers have no longer gap.")
    var interTokenLatency: Double?

    @Option(name: .customLong("slo-tpot-ms"), help: "Good answers take no longer for a token.")
    var timePerOutputToken: Double?

    @Option(name: .customLong("slo-e2e-ms"), help: "Good answers are whole within so long.")
    var endToEnd: Double?

    @Flag(inversion: .prefixedNo, help: "A progress line, where stderr is a terminal.")
    var progress = true

    /// What is given here takes the place of a scenario's.
    func objective(over scenario: ServiceLevelObjective) -> ServiceLevelObjective {
        ServiceLevelObjective(
            timeToFirstToken: timeToFirstToken ?? scenario.timeToFirstToken,
            interTokenLatency: interTokenLatency ?? scenario.interTokenLatency,
            timePerOutputToken: timePerOutputToken ?? scenario.timePerOutputToken,
            endToEnd: endToEnd ?? scenario.endToEnd)
    }

    func validate() throws {
        for (name, limit) in [
            ("--slo-ttft-ms", timeToFirstToken), ("--slo-itl-ms", interTokenLatency),
            ("--slo-tpot-ms", timePerOutputToken), ("--slo-e2e-ms", endToEnd),
        ] { try OptionRange.check(name, limit, in: 0.001...86_400_000) }
    }

    /// Runs with the progress line, which is gone when this returns. A server that cannot be
    /// reached is told at stderr and thrown as an `ExitCode`.
    func perform(_ configuration: LoadConfiguration) async throws -> LoadReport {
        var configuration = configuration
        configuration.objective = objective(over: configuration.objective)
        let terminal = progress ? Terminal.standardError : nil
        if let terminal {
            configuration.progress = { figures in
                terminal.write(ProgressLine(columns: terminal.columns).text(figures))
            }
        }
        defer { terminal?.write(ProgressLine.cleared) }
        let started = Date()
        var report: LoadReport
        do {
            report = try await LoadRun.perform(configuration)
        } catch let error as HTTPStreamError {
            terminal?.write(ProgressLine.cleared)
            FileHandle.standardError.write(
                Data("switchyard-load: cannot reach the server: \(error)\n".utf8))
            throw ExitCode(69)
        }
        report.settings = [
            "command": CommandText.redacted(Array(CommandLine.arguments.dropFirst())),
            "server": configuration.targets.map(\.authority).joined(separator: ", "),
            "started": started.formatted(.iso8601),
            "host": ProcessInfo.processInfo.hostName,
            "cores": "\(ProcessInfo.processInfo.activeProcessorCount)",
        ]
        return report
    }
}

/// The terminal that stderr is.
struct Terminal: Sendable {
    /// nil: stderr is not a terminal.
    static var standardError: Terminal? {
        isatty(FileHandle.standardError.fileDescriptor) == 1 ? Terminal() : nil
    }

    /// As the shell says, which cannot know of a window that changes.
    var columns: Int {
        ProcessInfo.processInfo.environment["COLUMNS"].flatMap { Int($0) } ?? 80
    }

    func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
