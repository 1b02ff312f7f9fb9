import Foundation

/// CPU time and memory of a process at one moment, from /proc (proc(5)).
package struct ProcessSample: Sendable, Equatable {
    /// User and system time of all its threads, in seconds; the kernel counts 10 ms ticks.
    package var cpuSeconds: Double
    package var residentBytes: Int

    /// nil when there is no such process.
    package init?(pid: Int32) {
        guard let stat = Self.text("/proc/\(pid)/stat"),
            let ticks = Self.cpuTicks(stat: stat)
        else { return nil }
        cpuSeconds = Double(ticks) / Self.ticksPerSecond
        let status = Self.text("/proc/\(pid)/status") ?? ""
        residentBytes = Self.residentKiB(status: status) * 1_024
    }

    /// CPU time of this process.
    package static var ownCPUSeconds: Double { Double(clock()) / Double(CLOCKS_PER_SEC) }

    /// USER_HZ, which Linux fixes at 100 for all architectures that Swift supports.
    static let ticksPerSecond = 100.0

    /// Fields 14 and 15. The command's name, field 2, may hold spaces and parentheses.
    static func cpuTicks(stat: String) -> Int? {
        guard let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else {
            return nil
        }
        return user + system
    }

    static func residentKiB(status: String) -> Int {
        for line in status.split(separator: "\n") where line.hasPrefix("VmRSS:") {
            return line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        }
        return 0
    }

    private static func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}
