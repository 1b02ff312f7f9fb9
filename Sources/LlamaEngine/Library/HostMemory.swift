internal import Glibc

/// Memory of this machine that a new allocation can have, in bytes.
package enum HostMemory {
    /// The least of what the kernel calls available and what the control groups leave; nil where
    /// neither is known.
    package static func availableBytes() -> Int? {
        availableBytes { fileText($0) }
    }

    /// - Parameter read: the text of a file; nil when it is not there.
    static func availableBytes(reading read: (String) -> String?) -> Int? {
        let machine = read("/proc/meminfo").flatMap { field("MemAvailable:", $0) }.map {
            $0 * 1_024
        }
        return ([machine].compactMap { $0 } + groups(read)).min()
    }

    /// What each limited group that this process is in leaves, from its own up to the root.
    private static func groups(_ read: (String) -> String?) -> [Int] {
        var rooms: [Int] = []
        for line in read("/proc/self/cgroup")?.split(separator: "\n") ?? [] {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let names: (root: String, limit: String, usage: String)
            if parts[0] == "0", parts[1].isEmpty {
                names = ("/sys/fs/cgroup", "memory.max", "memory.current")
            } else if parts[1].split(separator: ",").contains("memory") {
                names = (
                    "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
                )
            } else {
                continue
            }
            var path = parts[2].split(separator: "/")
            while true {
                let folder = ([names.root[...]] + path).joined(separator: "/")
                if let limit = number(read("\(folder)/\(names.limit)")),
                    let usage = number(read("\(folder)/\(names.usage)"))
                {
                    // The group's share of the page cache gives way.
                    let cached = read("\(folder)/memory.stat").map { cache($0) } ?? 0
                    rooms.append(max(0, limit - max(0, usage - cached)))
                }
                if path.isEmpty { break }
                path.removeLast()
            }
        }
        return rooms
    }

    /// `total_…` in version 1, where the plain fields leave out the groups below.
    private static func cache(_ statistics: String) -> Int {
        let inactive =
            field("total_inactive_file", statistics) ?? field("inactive_file", statistics)
        let active = field("total_active_file", statistics) ?? field("active_file", statistics)
        return (inactive ?? 0) + (active ?? 0)
    }

    /// The number behind a word at the beginning of a line.
    private static func field(_ name: String, _ text: String) -> Int? {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.first == name[...], words.count > 1 { return Int(words[1]) }
        }
        return nil
    }

    /// Nil also for `max`.
    private static func number(_ text: String?) -> Int? {
        text.flatMap { Int($0.prefix { $0 != "\n" }) }
    }

    private static func fileText(_ path: String) -> String? {
        guard let file = unsafe fopen(path, "r") else { return nil }
        defer { unsafe fclose(file) }
        var bytes = [UInt8](repeating: 0, count: sizeLimit)
        let count = unsafe fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    /// Longest file of the kernel's that is read, in bytes.
    private static let sizeLimit = 64 << 10
}
