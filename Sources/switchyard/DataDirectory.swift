import ArgumentParser
import Foundation

/// Where this installation keeps its state: sockets, a development certificate, later the ledger.
struct DataDirectory {
    /// A unix socket's path must fit `sun_path` (108 bytes with its zero), file name included.
    private static let socketDirectoryLimitBytes = 80

    let path: String

    /// Makes the directory with mode 0700 when it is missing.
    init(path: String?) throws {
        let environment = ProcessInfo.processInfo.environment
        let home = environment["HOME"] ?? "/var/lib"
        let state = environment["XDG_STATE_HOME"] ?? "\(home)/.local/state"
        self.path = path ?? "\(state)/switchyard"
        try Self.make(self.path)
    }

    /// For this process's workers; sockets of an earlier process cannot be in the way.
    func socketDirectory() throws -> String {
        let directory = "\(path)/run-\(ProcessInfo.processInfo.processIdentifier)"
        guard directory.utf8.count <= Self.socketDirectoryLimitBytes else {
            throw ValidationError(
                "--data-dir \(path) is too long for unix sockets: "
                    + "at most \(Self.socketDirectoryLimitBytes - 12) bytes")
        }
        try Self.make(directory)
        return directory
    }

    private static func make(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw ValidationError("--data-dir: cannot make \(path): \(error)")
        }
    }
}
