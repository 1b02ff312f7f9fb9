import HTTPTransport
import NIOCore
import NIOPosix

/// One run: connects, warms up, measures, reports. Confined to one event loop.
///
///     connecting ──> warmingUp ──> measuring ──> finished
///
/// Each phase ends when its requests have; a duration's end cuts off what still runs.
package final class LoadRun {
    private enum Phase { case connecting, warmingUp, measuring, finished }

    let configuration: LoadConfiguration
    let loop: any EventLoop
    var measurements: Measurements
    var probe: ProbeState?

    private let pool: ConnectionPool
    private let result: EventLoopPromise<LoadReport>
    private var phase = Phase.connecting
    private var active: [LoadStream] = []
    /// Requests of this phase sent so far; of all phases: the next prompt's number.
    private var launched = 0
    private var launchedEver = 0
    private var arrivals: ArrivalSchedule?
    private var window = MeasuredWindow()

    /// Nanoseconds of the monotonic clock.
    static var now: UInt64 { NIODeadline.now().uptimeNanoseconds }

    private init(
        _ configuration: LoadConfiguration, on loop: any EventLoop,
        _ result: EventLoopPromise<LoadReport>
    ) {
        self.configuration = configuration
        self.loop = loop
        self.result = result
        measurements = Measurements(objective: configuration.objective)
        pool = ConnectionPool(configuration, on: loop)
        probe = configuration.probe.map { ProbeState($0) }
    }

    /// Runs on a thread of its own; returns when everything has ended. Fails with
    /// `HTTPStreamError` when the server cannot be reached.
    package static func perform(_ configuration: LoadConfiguration) async throws -> LoadReport {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let result = loop.makePromise(of: LoadReport.self)
        loop.execute {
            let run = LoadRun(configuration, on: loop, result)
            run.start()
            result.futureResult.assumeIsolated().whenComplete { _ in run.pool.close() }
        }
        return try await result.futureResult.get()
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
        guard configuration.warmUpRequests > 0 else { return measure() }
        for _ in 0..<min(warmUpConcurrency, configuration.warmUpRequests) {
            launch(.warmUp, intendedStart: Self.now)
        }
    }

    private var warmUpConcurrency: Int {
        if case .closed(let concurrency) = configuration.load { concurrency } else { 8 }
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
        switch configuration.load {
        case .closed(let concurrency):
            for _ in 0..<concurrency where mayLaunch {
                launch(.measured, intendedStart: Self.now)
            }
        case .open(let schedule):
            arrivals = schedule
            scheduleArrival()
        }
    }

    private var mayLaunch: Bool {
        guard phase == .measuring else { return false }
        if case .requests(let count) = configuration.extent { return launched < count }
        return true
    }

    private func finish() {
        guard phase == .measuring else { return }
        phase = .finished
        window.end(configuration.processes)
        let now = Self.now
        measurements.finish(at: now)
        for stream in active where stream.purpose == .measured {
            measurements.cutOff(class: 0, stream.outcome(failure: nil, at: now))
        }
        // Resetting removes from `active`.
        for stream in Array(active) { stream.reset(timedOut: false) }
        result.succeed(LoadReport(configuration, measurements, window, connections: pool.opened))
    }

    // MARK: Requests

    /// Sends the arrivals that are due, and sleeps until the next.
    private func scheduleArrival() {
        while mayLaunch, let offset = arrivals?.next() {
            let due = window.start + offset
            if due > Self.now {
                loop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(due)) {
                    guard self.mayLaunch else { return }
                    self.launch(.measured, intendedStart: due)
                    self.scheduleArrival()
                }
                return
            }
            launch(.measured, intendedStart: due)
        }
    }

    private func launch(_ purpose: LoadStream.Purpose, intendedStart: UInt64) {
        launched += purpose == .probe ? 0 : 1
        let number = launchedEver
        launchedEver += 1
        guard active.count < configuration.inFlightMax else {
            measurements.notSent(class: 0, kind: "generator's in-flight limit", at: Self.now)
            return
        }
        if purpose == .measured {
            measurements.sent(class: 0, intended: intendedStart, at: Self.now)
        }
        let isChat: Bool
        if case .chat = configuration.work { isChat = true } else { isChat = false }
        let stream = LoadStream(
            run: self, purpose: purpose, intendedStart: intendedStart, isChat: isChat)
        stream.index = active.count
        active.append(stream)
        stream.body = body(number, purpose)
        pool.open(head, stream.body, for: stream)
    }

    private func body(_ number: Int, _ purpose: LoadStream.Purpose) -> ByteBuffer? {
        guard case .chat(let body, let prompts) = configuration.work else { return nil }
        guard purpose == .probe, let probe else {
            return body.encoded(prompt: prompts.prompt(number))
        }
        let source = PromptSource.words(
            tokens: probe.settings.promptTokens, seed: ~configuration.seed)
        return body.encoded(
            prompt: source.prompt(probe.injected), maxTokens: probe.settings.maxTokens)
    }

    private lazy var head: HTTPRequestHead = {
        var fields = HTTPFields()
        var method = "GET"
        if case .chat = configuration.work {
            method = "POST"
            fields.append("content-type", "application/json")
            fields.append("accept", "text/event-stream")
        }
        for field in configuration.fields { fields.append(field.name, field.value) }
        return HTTPRequestHead(
            method: method, authority: configuration.target.authority,
            path: configuration.target.prefix + configuration.path, fields: fields)
    }()

    // MARK: What streams tell

    func startedOutput(_ stream: LoadStream, now: UInt64) {
        if stream.purpose == .measured, phase == .measuring {
            measurements.firstToken(class: 0, intended: stream.intendedStart, at: now)
        }
        guard stream.purpose == .probe, let window = probe?.window else { return }
        probe?.window?.end = now
        measurements.probeFirstToken(after: now - window.start)
    }

    func delivered(_ deltas: Int, by stream: LoadStream, now: UInt64) {
        guard stream.purpose == .measured, phase == .measuring else { return }
        measurements.delivered(class: 0, deltas: deltas, at: now)
    }

    func recordGap(of stream: LoadStream, from: UInt64, to: UInt64) {
        guard stream.purpose == .measured, phase == .measuring else { return }
        let duringProbe = probe.map { $0.window?.overlaps(from: from, to: to) ?? false }
        measurements.gap(class: 0, from: from, to: to, duringProbe: duringProbe)
    }

    /// Called once for each stream, last.
    func ended(_ stream: LoadStream, _ error: HTTPStreamError?) {
        if retries(stream, error) { return }
        active[stream.index] = active[active.count - 1]
        active[stream.index].index = stream.index
        active.removeLast()
        guard phase != .finished else { return }
        let failure = StreamFailure.kind(of: stream, error)
        switch stream.purpose {
        case .probe: endedProbe(failed: failure != nil)
        case .warmUp:
            if let failure { measurements.failed("warm-up: " + failure, sample: stream.errorBody) }
            goOn(afterFailure: failure != nil)
        case .measured:
            let now = Self.now
            measurements.ended(class: 0, stream.outcome(failure: failure, at: now), at: now)
            goOn(afterFailure: failure != nil)
        }
    }

    /// A server may close an idle connection while a request is on its way to it (RFC 9112 §9.5):
    /// such a request is sent again, once, and its time goes on counting.
    private func retries(_ stream: LoadStream, _ error: HTTPStreamError?) -> Bool {
        guard configuration.version == .h1, error == .connectionClosed, stream.status == 0,
            !stream.isRetry, !stream.isTimedOut, phase != .finished
        else { return false }
        stream.isRetry = true
        pool.open(head, stream.body, for: stream, reusing: false)
        return true
    }

    private func goOn(afterFailure: Bool) {
        switch phase {
        case .connecting, .finished:
            return
        case .warmingUp:
            if launched < configuration.warmUpRequests {
                launchAgain(.warmUp, afterFailure: afterFailure)
            } else if active.isEmpty {
                measure()
            }
        case .measuring:
            if case .closed = configuration.load, mayLaunch {
                launchAgain(.measured, afterFailure: afterFailure)
            } else if active.isEmpty, !mayLaunch {
                finish()
            }
        }
    }

    /// The next request of a closed loop; after a failure a little later, so that a server that
    /// refuses is not flooded.
    private func launchAgain(_ purpose: LoadStream.Purpose, afterFailure: Bool) {
        guard afterFailure else { return launch(purpose, intendedStart: Self.now) }
        let phase = self.phase
        loop.assumeIsolated().scheduleTask(in: .milliseconds(50)) {
            guard self.phase == phase else { return }
            let isWanted =
                purpose == .warmUp
                ? self.launched < self.configuration.warmUpRequests : self.mayLaunch
            if isWanted {
                self.launch(purpose, intendedStart: Self.now)
            } else if self.active.isEmpty {
                self.goOn(afterFailure: false)
            }
        }
    }

    // MARK: Probes

    private func scheduleProbe(after seconds: Double) {
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(seconds * 1e9))) {
            guard self.phase == .measuring, self.probe != nil else { return }
            let now = Self.now
            self.probe?.window = ProbeState.Window(start: now, end: nil)
            self.launch(.probe, intendedStart: now)
            self.probe?.injected += 1
        }
    }

    private func endedProbe(failed: Bool) {
        guard let state = probe else { return }
        if failed {
            measurements.failed("probe failed", sample: "")
            if state.window?.end == nil { probe?.window?.end = Self.now }
        }
        if state.injected < state.settings.count {
            scheduleProbe(after: state.settings.afterSeconds)
        }
        if active.isEmpty, !mayLaunch { finish() }
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
            let processes = self.configuration.processes
            if !processes.isEmpty {
                self.measurements.used(cpuSeconds: self.window.sample(processes), at: now)
            }
            self.configuration.progress?(self.measurements.live(at: now))
            self.tick()
        }
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
