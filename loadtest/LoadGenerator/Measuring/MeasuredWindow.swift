import NIOCore

/// The measured time, and CPU time used in it. Owned by the run's event loop.
struct MeasuredWindow {
    private(set) var start: UInt64 = 0
    private(set) var seconds: Double
    private(set) var ownCPUSeconds = 0.0
    /// By position in the list of watched processes; nil where the process was not there.
    private(set) var processCPUSeconds: [Double?] = []
    private(set) var processResidentBytes: [Int?] = []
    /// CPU time of the generator's own threads, the busiest first.
    private(set) var threads: [ThreadSample.Thread] = []
    private var samples: [ProcessSample?] = []
    private var latest: [ProcessSample?] = []
    private var threadsBefore = ThreadSample()

    /// `seconds`: until it ends.
    init(seconds: Double = 0) { self.seconds = seconds }

    mutating func begin(_ processes: [LoadConfiguration.WatchedProcess]) {
        samples = processes.map { ProcessSample(pid: $0.pid) }
        latest = samples
        ownCPUSeconds = ProcessSample.ownCPUSeconds
        threadsBefore = .now
        start = LoadRun.now
    }

    /// CPU seconds of each process since the last call, or since the beginning.
    mutating func sample(_ processes: [LoadConfiguration.WatchedProcess]) -> [Double?] {
        let now = processes.map { ProcessSample(pid: $0.pid) }
        defer { latest = now }
        return zip(latest, now).map { before, after in
            guard let before, let after else { return nil }
            return after.cpuSeconds - before.cpuSeconds
        }
    }

    mutating func end(_ processes: [LoadConfiguration.WatchedProcess]) {
        seconds = Double(LoadRun.now - start) / 1e9
        ownCPUSeconds = ProcessSample.ownCPUSeconds - ownCPUSeconds
        threads = ThreadSample.now.since(threadsBefore)
        for (process, before) in zip(processes, samples) {
            let after = ProcessSample(pid: process.pid)
            processResidentBytes.append(after?.residentBytes)
            if let before, let after {
                processCPUSeconds.append(after.cpuSeconds - before.cpuSeconds)
            } else {
                processCPUSeconds.append(nil)
            }
        }
    }
}
