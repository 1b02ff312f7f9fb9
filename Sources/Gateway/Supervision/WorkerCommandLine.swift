internal import Foundation

/// How `serve` starts its worker processes.
package struct WorkerCommandLine: Hashable, Sendable {
    /// The program to run: this binary itself.
    package var executable: String
    /// Everything after the subcommand, except the model and `--listen`, which are added.
    package var arguments: [String]
    /// `--device` of the workers, one after the other; empty: each chooses for itself.
    package var devices: [String] = []
    /// Where the workers' sockets live; made with mode 0700.
    package var socketDirectory: String
    /// Where the workers' journals are; nil: they keep none.
    package var journalDirectory: String?

    package init(executable: String, arguments: [String], socketDirectory: String) {
        self.executable = executable
        self.arguments = arguments
        self.socketDirectory = socketDirectory
    }

    /// The same for workers of that model.
    func serving(_ model: ModelSettings) -> WorkerCommandLine {
        var line = self
        line.arguments =
            (model.path.map { ["--model", $0] } ?? [])
            + ["--model-name", model.name] + arguments
        return line
    }

    /// Of one worker, the same over its lives.
    func arguments(worker: Int) -> [String] {
        devices.isEmpty ? arguments : arguments + ["--device", devices[worker % devices.count]]
    }

    /// `--journal` for one life of one worker: a name that no other life of any gateway's worker
    /// has.
    func journal(pool: Int, worker: Int, life: Int) -> String? {
        journalDirectory.map { "\($0)/\(Self.process)-\(pool)-\(worker)-\(life)" }
    }

    /// This process, among all that ever used the directory.
    private static let process =
        "\(UnixClock.milliseconds())-\(ProcessInfo.processInfo.processIdentifier)"

    /// `--listen` for one life of one worker. A new path for each life: a dying process may still
    /// hold, or remove, the old one.
    func listenAddress(pool: Int, worker: Int, life: Int) -> String {
        "\(socketDirectory)/worker-\(pool)-\(worker)-\(life).sock"
    }
}
