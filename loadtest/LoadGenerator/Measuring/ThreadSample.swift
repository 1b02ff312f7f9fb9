import Foundation

/// CPU time of this process's threads at one moment, from /proc (proc(5)).
struct ThreadSample: Sendable {
    struct Thread: Sendable {
        var id: Int32
        /// As the thread was named; Linux keeps 15 bytes of it.
        var name: String
        var cpuSeconds: Double
    }

    /// Ordered by id.
    private(set) var threads: [Thread] = []

    static var now: ThreadSample {
        var sample = ThreadSample()
        let folder = "/proc/self/task"
        // A thread may end between the two reads: then it has no CPU time to report.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for id in names.compactMap({ Int32($0) }).sorted() {
            guard let data = FileManager.default.contents(atPath: "\(folder)/\(id)/stat") else {
                continue
            }
            let stat = String(decoding: data, as: UTF8.self)
            guard let ticks = ProcessSample.cpuTicks(stat: stat),
                let open = stat.firstIndex(of: "("), let close = stat.lastIndex(of: ")")
            else { continue }
            sample.threads.append(
                Thread(
                    id: id, name: String(stat[stat.index(after: open)..<close]),
                    cpuSeconds: Double(ticks) / ProcessSample.ticksPerSecond))
        }
        return sample
    }

    /// CPU time since `earlier`, of threads that used any; the busiest first.
    func since(_ earlier: ThreadSample) -> [Thread] {
        var before: [Int32: Double] = [:]
        for thread in earlier.threads { before[thread.id] = thread.cpuSeconds }
        return threads.map { thread in
            var used = thread
            used.cpuSeconds -= before[thread.id] ?? 0
            return used
        }
        .filter { $0.cpuSeconds > 0 }
        .sorted { ($0.cpuSeconds, $1.id) > ($1.cpuSeconds, $0.id) }
    }
}
