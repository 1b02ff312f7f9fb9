/// Where this installation keeps its state: sockets, a development certificate, later the ledger.
struct StateDirectory: Sendable {
    /// A unix socket's path must fit `sun_path` (108 bytes with its zero), file name included.
    static let socketDirectoryLimitBytes = 80

    let path: String
    private let processIdentifier: Int32

    init(
        values: SettingValues, environment: [String: String],
        machine: ConfigurationSource.Machine
    ) {
        let home = environment["HOME"] ?? "/var/lib"
        let state = environment["XDG_STATE_HOME"] ?? "\(home)/.local/state"
        path = values.text(.dataDir) ?? "\(state)/switchyard"
        processIdentifier = machine.processIdentifier
    }

    /// For this process's workers; sockets of an earlier one cannot be in the way.
    var socketDirectory: String { "\(path)/run-\(processIdentifier)" }

    /// Of supervised workers' journals.
    var journalDirectory: String { "\(path)/journals" }

    /// Of the self-signed pair.
    var certificateDirectory: String { "\(path)/tls" }
}
