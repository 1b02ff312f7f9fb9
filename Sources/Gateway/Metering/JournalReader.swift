import EngineProtocol
import Foundation

/// The journals in a directory: those of this gateway's workers as they grow, and those that
/// earlier gateways' workers left, once nobody writes them any more. Blocks; owned by `UsageMeter`.
struct JournalReader {
    /// What was read of one journal.
    struct Reading {
        var endpoint: String
        var records: [JournalRecord] = []
        /// Nobody writes it any more, and it was read whole.
        var isOver = false
    }

    private struct Journal {
        var name: String
        /// Its worker has exited.
        var isClosed = false
        /// Of the file in hand; 0 before the first.
        var number = 0
        var offset: UInt64 = 0
        var decoder = JournalDecoder()
    }

    private struct File {
        var name: String
        var journal: String
        var number: Int
    }

    /// There are journals that somebody else's workers write.
    private(set) var hasLocked = false
    /// Why a file could not be read the last time; nil when all could.
    private(set) var trouble: String?
    private let directory: String
    /// Where files go that were read and recorded.
    private var settledDirectory: String { "\(directory)/settled" }
    private var journals: [String: Journal] = [:]
    /// Names of journals that were read, until their files are put away.
    private var done: [String] = []
    private var doneFiles: [String] = []

    init(directory: String) throws {
        self.directory = directory
        try FileManager.default.createDirectory(
            atPath: "\(directory)/settled", withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
    }

    mutating func opened(_ endpoint: String, path: String) {
        journals[endpoint] = Journal(name: URL(fileURLWithPath: path).lastPathComponent)
    }

    mutating func closed(_ endpoint: String) {
        journals[endpoint]?.isClosed = true
    }

    /// What has come since the last time.
    mutating func read() -> [Reading] {
        let files = list()
        let byJournal = Dictionary(grouping: files, by: \.journal)
        adopt(byJournal)
        trouble = nil
        var readings: [Reading] = []
        for endpoint in journals.keys.sorted() {
            guard var journal = journals[endpoint] else { continue }
            var reading = Reading(endpoint: endpoint)
            // What cannot be read now is tried again: nothing of it is put away before.
            let isWhole = read(&journal, byJournal[journal.name] ?? [], into: &reading.records)
            reading.isOver = journal.isClosed && isWhole
            if reading.isOver {
                journals[endpoint] = nil
                done.append(journal.name)
            } else {
                journals[endpoint] = journal
            }
            readings.append(reading)
        }
        return readings
    }

    /// What was read is recorded.
    mutating func settle() {
        guard !done.isEmpty || !doneFiles.isEmpty else { return }
        for name in doneFiles { putAway(name) }
        doneFiles.removeAll()
        guard !done.isEmpty else { return }
        for file in list() where done.contains(file.journal) { putAway(file.name) }
        done.removeAll()
    }

    /// Removes files that were put away before `limit`.
    func purge(before limit: Date) {
        let manager = FileManager.default
        let names = (try? manager.contentsOfDirectory(atPath: settledDirectory)) ?? []
        for name in names {
            let path = "\(settledDirectory)/\(name)"
            guard
                let date = (try? manager.attributesOfItem(atPath: path))?[.modificationDate]
                    as? Date, date < limit
            else { continue }
            // Another gateway may have removed it.
            try? manager.removeItem(atPath: path)
        }
    }

    /// Journals of processes that are no more.
    private mutating func adopt(_ found: [String: [File]]) {
        let known = Set(journals.values.map(\.name) + done)
        hasLocked = false
        for (name, files) in found where !known.contains(name) {
            guard let last = files.last, Self.isAbandoned("\(directory)/\(last.name)") else {
                hasLocked = true
                continue
            }
            journals[name] = Journal(name: name, isClosed: true)
        }
    }

    /// Its worker holds a lock for as long as it lives.
    private static func isAbandoned(_ path: String) -> Bool {
        guard let file = FileHandle(forUpdatingAtPath: path) else { return false }
        _ = fcntl(file.fileDescriptor, F_SETFD, FD_CLOEXEC)
        // Written under the lock: without it the file is about to be locked.
        guard let header = try? file.read(upToCount: JournalEncoder.header.count),
            header.count == JournalEncoder.header.count
        else { return false }
        return flock(file.fileDescriptor, LOCK_EX | LOCK_NB) == 0
    }

    /// False when a file cannot be read: those behind it wait for it.
    private mutating func read(
        _ journal: inout Journal, _ files: [File], into records: inout [JournalRecord]
    ) -> Bool {
        for (index, file) in files.enumerated() where file.number >= journal.number {
            if file.number > journal.number {
                journal.number = file.number
                journal.offset = 0
                journal.decoder = JournalDecoder()
            }
            do {
                let url = URL(fileURLWithPath: "\(directory)/\(file.name)")
                let handle = try FileHandle(forReadingFrom: url)
                try handle.seek(toOffset: journal.offset)
                // Nil at its end.
                let bytes = try handle.readToEnd() ?? Data()
                journal.offset += UInt64(bytes.count)
                records += journal.decoder.append(bytes)
            } catch CocoaError.fileReadNoSuchFile, CocoaError.fileNoSuchFile {
                // Another gateway has read it and put it away.
                continue
            } catch {
                trouble = "\(file.name): \(error.localizedDescription)"
                return false
            }
            // A file is complete once there is a further one.
            if index < files.count - 1 { doneFiles.append(file.name) }
        }
        return true
    }

    /// In order of name and number.
    private func list() -> [File] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.compactMap { name in
            guard let dot = name.lastIndex(of: "."),
                let number = Int(name[name.index(after: dot)...])
            else { return nil }
            return File(name: name, journal: String(name[..<dot]), number: number)
        }.sorted { ($0.journal, $0.number) < ($1.journal, $1.number) }
    }

    private func putAway(_ name: String) {
        // Another gateway may have been faster.
        try? FileManager.default.moveItem(
            atPath: "\(directory)/\(name)", toPath: "\(settledDirectory)/\(name)")
    }
}
