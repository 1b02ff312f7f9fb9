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
    private var latestInstant: UInt64 = 0
    private var threadsBefore = ThreadSample()

    /// `seconds`: until it ends.
    init(seconds: Double = 0) { self.seconds = seconds }

    mutating func begin(_ processes: [LoadConfiguration.WatchedProcess]) {
        samples = processes.map { ProcessSample(pid: $0.pid) }
        latest = samples
        ownCPUSeconds = ProcessSample.ownCPUSeconds
        threadsBefore = .now
        start = LoadRun.now
        latestInstant = start
    }

    /// CPU seconds of each process since the last call, or since the beginning, and when that was.
    mutating func sample(
        _ processes: [LoadConfiguration.WatchedProcess], at now: UInt64
    ) -> (cpuSeconds: [Double?], since: UInt64) {
        let taken = processes.map { ProcessSample(pid: $0.pid) }
        defer { (latest, latestInstant) = (taken, now) }
        return (Self.used(latest, taken), latestInstant)
    }

    /// Behind the last `sample`, which is the processes' end.
    mutating func end(at now: UInt64) {
        seconds = Double(now - start) / 1e9
        ownCPUSeconds = ProcessSample.ownCPUSeconds - ownCPUSeconds
        threads = ThreadSample.now.since(threadsBefore)
        processResidentBytes = latest.map { $0?.residentBytes }
        processCPUSeconds = Self.used(samples, latest)
    }

    private static func used(_ before: [ProcessSample?], _ after: [ProcessSample?]) -> [Double?] {
        zip(before, after).map { before, after in
            guard let before, let after else { return nil }
            return after.cpuSeconds - before.cpuSeconds
        }
    }
}
