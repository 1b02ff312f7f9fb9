import NIOCore

/// The measured time, and CPU time used in it. Owned by the run's event loop.
struct MeasuredWindow {
    private(set) var start: UInt64 = 0
    private(set) var seconds = 0.0
    private(set) var ownCPUSeconds = 0.0
    /// By position in the list of watched processes; nil where the process was not there.
    private(set) var processCPUSeconds: [Double?] = []
    private(set) var processResidentBytes: [Int?] = []
    private var samples: [ProcessSample?] = []

    mutating func begin(_ processes: [LoadConfiguration.WatchedProcess]) {
        samples = processes.map { ProcessSample(pid: $0.pid) }
        ownCPUSeconds = ProcessSample.ownCPUSeconds
        start = LoadRun.now
    }

    mutating func end(_ processes: [LoadConfiguration.WatchedProcess]) {
        seconds = Double(LoadRun.now - start) / 1e9
        ownCPUSeconds = ProcessSample.ownCPUSeconds - ownCPUSeconds
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
