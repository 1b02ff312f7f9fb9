import GRPC
import HTTPTransport
import NIOCore
import NIOPosix

/// One run: connects, warms up, measures, reports. Confined to one event loop.
///
///     connecting ──> warmingUp ──> settling ──> measuring ──> finished
///
/// Warming up ends when its requests have. Settling is the load itself for a while, not recorded.
/// The measurement ends when its requests have, or when its time is over, which cuts off what
/// still runs.
package final class LoadRun {
    enum Phase { case connecting, warmingUp, settling, measuring, finished }

    let configuration: LoadConfiguration
    let loop: any EventLoop
    let planner: RequestPlanner
    let pool: ConnectionPool
    let heads: RequestHeads
    let measuredClasses: MeasuredClasses
    var measurements: Measurements
    var probe: ProbeState?
    var phase = Phase.connecting
    var active: [LoadStream] = []
    /// Arrivals of this phase so far; of the load: the next one's number.
    var launched = 0
    var arrivalNumber = 0
    /// Conversations whose user thinks.
    var thinking = 0

    private let result: EventLoopPromise<LoadReport>
    private var arrivals: ArrivalSchedule?
    private var arrivalsEnded = false
    private var loadStart: UInt64 = 0
    private var window = MeasuredWindow()

    /// Nanoseconds of the monotonic clock.
    static var now: UInt64 { NIODeadline.now().uptimeNanoseconds }

    private init(
        _ configuration: LoadConfiguration, tls: TLSClientContext?, on loop: any EventLoop,
        _ result: EventLoopPromise<LoadReport>
    ) {
        self.configuration = configuration
        self.loop = loop
        self.result = result
        let encoding: RequestEncoding = configuration.version == .grpc ? .xai : .json
        planner = RequestPlanner(
            configuration.classes, seed: configuration.seed, replay: configuration.replay,
            encoding: encoding)
        heads = RequestHeads(configuration)
        measuredClasses = MeasuredClasses(configuration.classes)
        measurements = Measurements(
            classes: measuredClasses.list, objective: configuration.objective)
        pool = ConnectionPool(configuration, tls: tls, on: loop)
        probe = configuration.probe.map { ProbeState($0) }
    }

    /// Runs on a thread of its own; returns when everything has ended. Fails with
    /// `HTTPStreamError` when the server cannot be reached, and with `TLSError` when what it is to
    /// trust cannot be read.
    package static func perform(_ configuration: LoadConfiguration) async throws -> LoadReport {
        let tls = try tlsContext(configuration)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let result = loop.makePromise(of: LoadReport.self)
        loop.execute {
            let run = LoadRun(configuration, tls: tls, on: loop, result)
            run.start()
            result.futureResult.assumeIsolated().whenComplete { _ in run.pool.close() }
        }
        return try await result.futureResult.get()
    }

    private static func tlsContext(_ configuration: LoadConfiguration) throws -> TLSClientContext? {
        guard configuration.targets.contains(where: \.isSecure) else { return nil }
        let protocols = [configuration.version == .h1 ? "http/1.1" : "h2"]
        switch configuration.trust {
        case .system:
            return try TLSClientContext(authorityPath: nil, files: nil, protocols: protocols)
        case .authority(let path):
            return try TLSClientContext(authorityPath: path, files: nil, protocols: protocols)
        case .anybody:
            return try TLSClientContext(
                authorityPath: nil, files: nil, protocols: protocols, verifies: false)
        }
    }

    private func start() {
        let requests =
            switch configuration.load {
            case .closed(let concurrency): concurrency
            case .open: 1
            }
        pool.prepare(requests: requests + (probe == nil ? 0 : 1)) { error in
            if let error {
                self.result.fail(error)
            } else {
                self.warmUp()
            }
        }
    }

    // MARK: Phases

    private func warmUp() {
        phase = .warmingUp
        sweepTimeouts()
        guard configuration.warmUpRequests > 0 else { return beginLoad() }
        for _ in 0..<min(warmUpConcurrency, configuration.warmUpRequests) {
            launch(intendedStart: Self.now)
        }
    }

    private var warmUpConcurrency: Int {
        if case .closed(let concurrency) = configuration.load { concurrency } else { 8 }
    }

    private func beginLoad() {
        loadStart = Self.now
        if configuration.warmUpSeconds > 0 {
            phase = .settling
            let delay = Int64(configuration.warmUpSeconds * 1e9)
            loop.assumeIsolated().scheduleTask(in: .nanoseconds(delay)) { self.measure() }
        } else {
            measure()
        }
        switch configuration.load {
        case .closed(let concurrency):
            for _ in 0..<concurrency where mayLaunch { launch(intendedStart: Self.now) }
        case .open(let schedule):
            arrivals = schedule
            scheduleArrival()
        }
    }

    private func measure() {
        phase = .measuring
        launched = 0
        window.begin(configuration.processes)
        measurements.begin(at: window.start)
        watchTimer()
        tick()
        if case .seconds(let seconds) = configuration.extent {
            let end = window.start + UInt64(seconds * 1e9)
            loop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(end)) {
                self.finish()
            }
        }
        if let probe { scheduleProbe(after: probe.settings.afterSeconds) }
        finishIfOver()
    }

    /// Whether the load may have a further arrival.
    var mayLaunch: Bool {
        guard !arrivalsEnded else { return false }
        switch phase {
        case .connecting, .finished: return false
        case .warmingUp: return launched < configuration.warmUpRequests
        case .settling: return true
        case .measuring:
            if case .requests(let count) = configuration.extent { return launched < count }
            return true
        }
    }

    /// Ends the measurement when nothing runs and nothing more will.
    func finishIfOver() {
        guard phase == .measuring, launched > 0 || arrivalsEnded, active.isEmpty, thinking == 0,
            !mayLaunch
        else { return }
        finish()
    }

    private func finish() {
        guard phase == .measuring else { return }
        phase = .finished
        let now = Self.now
        sampleProcesses(at: now)
        window.end(at: now)
        measurements.finish(at: now)
        for stream in active where stream.purpose == .measured {
            measurements.cutOff(class: stream.work.measuredClass, stream.outcome(cutOffAt: now))
        }
        // Resetting removes from `active`.
        for stream in Array(active) { stream.reset(timedOut: false) }
        result.succeed(LoadReport(configuration, measurements, window, connections: pool.opened))
    }

    // MARK: Arrivals

    /// Sends the arrivals that are due, and sleeps until the next.
    private func scheduleArrival() {
        while mayLaunch {
            guard let offset = arrivals?.next() else {
                arrivalsEnded = true
                return finishIfOver()
            }
            let due = loadStart + offset
            if due > Self.now {
                loop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(due)) {
                    guard self.mayLaunch else { return }
                    self.launch(intendedStart: due)
                    self.scheduleArrival()
                }
                return
            }
            launch(intendedStart: due)
        }
    }

    /// An arrival has ended: what comes next in this phase.
    func goOn(afterFailure: Bool) {
        switch phase {
        case .connecting, .finished:
            return
        case .warmingUp:
            if mayLaunch {
                launchAgain(afterFailure: afterFailure)
            } else if active.isEmpty, thinking == 0 {
                beginLoad()
            }
        case .settling, .measuring:
            if case .closed = configuration.load, mayLaunch {
                launchAgain(afterFailure: afterFailure)
            } else {
                finishIfOver()
            }
        }
    }

    /// The next arrival of a closed loop; after a failure a little later, so that a server that
    /// refuses is not flooded.
    private func launchAgain(afterFailure: Bool) {
        guard afterFailure else { return launch(intendedStart: Self.now) }
        let isWarmUp = phase == .warmingUp
        loop.assumeIsolated().scheduleTask(in: .milliseconds(50)) {
            // Of a warm-up that is over, or of a load that is.
            guard isWarmUp == (self.phase == .warmingUp) else { return }
            if self.mayLaunch {
                self.launch(intendedStart: Self.now)
            } else {
                self.goOn(afterFailure: false)
            }
        }
    }

    // MARK: Timers

    private func sweepTimeouts() {
        loop.assumeIsolated().scheduleTask(in: .seconds(1)) {
            guard self.phase != .finished else { return }
            let limit = UInt64(self.configuration.requestTimeoutSeconds * 1e9)
            let now = Self.now
            for stream in Array(self.active) where now > stream.intendedStart + limit {
                stream.reset(timedOut: true)
            }
            self.sweepTimeouts()
        }
    }

    /// Each second: CPU time of the watched processes, and the progress line.
    private func tick() {
        let due = measurements.timeline.nextSecond(after: Self.now)
        loop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(due)) {
            guard self.phase == .measuring else { return }
            let now = Self.now
            self.sampleProcesses(at: now)
            self.configuration.progress?(self.measurements.live(at: now))
            self.tick()
        }
    }

    private func sampleProcesses(at now: UInt64) {
        guard !configuration.processes.isEmpty else { return }
        let used = window.sample(configuration.processes, at: now)
        measurements.used(cpuSeconds: used.cpuSeconds, from: used.since, to: now)
    }

    /// A late timer means that this process, or the machine, had no CPU time for its work.
    private func watchTimer() {
        let due = Self.now + 10_000_000
        loop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(due)) {
            guard self.phase == .measuring else { return }
            let now = Self.now
            self.measurements.timerFired(late: now > due ? now - due : 0, at: now)
            self.watchTimer()
        }
    }
}
