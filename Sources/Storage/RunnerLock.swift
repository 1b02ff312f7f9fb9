internal import Foundation

#if canImport(Glibc)
internal import Glibc
#endif

/// Who holds it runs the jobs of a data directory; others accept and wait for it. The kernel gives
/// it up when its process ends, however that ends. Any thread.
package final class RunnerLock: Sendable {
    private let file: FileHandle

    /// Nil while another process holds it. Throws when the file cannot be made.
    package init?(path: String) throws(StorageError) {
        if !FileManager.default.fileExists(atPath: path) {
            // A failure shows when the file is opened.
            _ = FileManager.default.createFile(
                atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
        }
        guard let file = FileHandle(forUpdatingAtPath: path) else {
            throw .failed("cannot open \(path)")
        }
        // Workers must not keep it when the gateway ends before them.
        _ = fcntl(file.fileDescriptor, F_SETFD, FD_CLOEXEC)
        guard flock(file.fileDescriptor, LOCK_EX | LOCK_NB) == 0 else { return nil }
        self.file = file
    }
}
