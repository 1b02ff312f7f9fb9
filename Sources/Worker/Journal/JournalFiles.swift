import EngineProtocol
import Foundation

/// The files of a worker's journal: `NAME.000001` and so on, each of bounded size, the oldest
/// removed when there are too many. The one in hand is locked (`flock`), so that a reader can tell
/// whether its worker lives. Owned by the engine thread.
struct JournalFiles {
    private let path: String
    private let fileBytesMax: Int
    private let filesMax: Int
    private var number: Int
    private var file: FileHandle
    /// Of whole frames.
    private var bytes = 0
    private var isBroken = false

    /// Throws when the first file cannot be made.
    init(path: String, fileBytesMax: Int, filesMax: Int) throws(WorkerError) {
        self.path = path
        self.fileBytesMax = fileBytesMax
        self.filesMax = filesMax
        number = (Self.numbers(of: path).last ?? 0) + 1
        guard let file = Self.open(Self.name(path, number)) else {
            throw .setting(name: "--journal", value: path, allowed: "a file that can be written")
        }
        self.file = file
        bytes = JournalEncoder.header.count
    }

    var isFull: Bool { bytes >= fileBytesMax }

    /// False when the frame was not written; what was written of it is taken back.
    mutating func append(_ frame: [UInt8]) -> Bool {
        if isBroken {
            guard (try? file.truncate(atOffset: UInt64(bytes))) != nil else { return false }
            isBroken = false
        }
        do {
            try file.write(contentsOf: Data(frame))
            bytes += frame.count
            return true
        } catch {
            isBroken = true
            return false
        }
    }

    /// Goes on in a new file. Stays with the old one when none can be made.
    mutating func rotate() {
        guard let next = Self.open(Self.name(path, number + 1)) else { return }
        number += 1
        // The lock of the old one goes with it.
        file = next
        bytes = JournalEncoder.header.count
        for old in Self.numbers(of: path).dropLast(filesMax) {
            // It may be gone: whoever has read it may remove it.
            try? FileManager.default.removeItem(atPath: Self.name(path, old))
        }
    }

    private static func name(_ path: String, _ number: Int) -> String {
        let digits = String(number)
        return path + "." + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    }

    /// In order.
    private static func numbers(of path: String) -> [Int] {
        let url = URL(fileURLWithPath: path)
        let prefix = url.lastPathComponent + "."
        let folder = url.deletingLastPathComponent().path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasPrefix(prefix) }
            .compactMap { Int($0.dropFirst(prefix.count)) }.sorted()
    }

    private static func open(_ path: String) -> FileHandle? {
        guard
            FileManager.default.createFile(
                atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]),
            let file = FileHandle(forWritingAtPath: path),
            // A reader may look, for a moment, whether anybody holds it.
            flock(file.fileDescriptor, LOCK_EX) == 0,
            (try? file.write(contentsOf: Data(JournalEncoder.header))) != nil
        else { return nil }
        return file
    }
}
