/// How `serve` starts its worker processes.
package struct WorkerCommandLine: Hashable, Sendable {
    /// The program to run: this binary itself.
    package var executable: String
    /// Everything after the subcommand, except `--listen`, which the supervisor adds.
    package var arguments: [String]
    /// Where the workers' sockets live; made with mode 0700.
    package var socketDirectory: String

    package init(executable: String, arguments: [String], socketDirectory: String) {
        self.executable = executable
        self.arguments = arguments
        self.socketDirectory = socketDirectory
    }

    /// `--listen` for one life of one worker. A new path for each life: a dying process may still
    /// hold, or remove, the old one.
    func listenAddress(worker: Int, life: Int) -> String {
        "\(socketDirectory)/worker-\(worker)-\(life).sock"
    }
}
