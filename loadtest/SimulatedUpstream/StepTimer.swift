import NIOCore

/// Gives all streams of an event loop their tokens: one timer, whatever their number.
///
/// Owned by its loop. Paced, a step is cut into `phases` moments, and each stream has one of them;
/// unpaced, every stream that can be written to gets tokens in each turn of the loop.
final class StepTimer {
    private let loop: any EventLoop
    /// Between two moments, in nanoseconds; 0: unpaced.
    private let interval: Int64
    private var streams: [[UpstreamConnection]]
    private var count = 0
    private var moment = 0
    private var nextPhase = 0
    private var isRunning = false
    let counters: UpstreamCounters

    /// `configuration`: one that was checked.
    init(
        _ configuration: UpstreamConfiguration, _ counters: UpstreamCounters,
        on loop: any EventLoop
    ) {
        self.loop = loop
        self.counters = counters
        interval = configuration.momentNanoseconds
        streams = Array(repeating: [], count: interval > 0 ? configuration.phases : 1)
    }

    func add(_ stream: UpstreamConnection) {
        stream.phase = nextPhase
        stream.place = streams[nextPhase].count
        streams[nextPhase].append(stream)
        nextPhase = (nextPhase + 1) % streams.count
        count += 1
        resume()
    }

    func remove(_ stream: UpstreamConnection) {
        guard stream.place >= 0 else { return }
        let last = streams[stream.phase].removeLast()
        if last !== stream {
            streams[stream.phase][stream.place] = last
            last.place = stream.place
        }
        stream.place = -1
        count -= 1
    }

    /// There is something to do again: a new stream, or room in an unpaced one's output.
    func resume() {
        guard !isRunning else { return }
        isRunning = true
        schedule(due: NIODeadline.now() + .nanoseconds(interval))
    }

    private func schedule(due: NIODeadline) {
        guard interval > 0 else {
            return loop.assumeIsolated().execute { self.tick() }
        }
        loop.assumeIsolated().scheduleTask(deadline: due) {
            let now = NIODeadline.now()
            self.counters.late((now - due).nanoseconds)
            self.tick(planned: due, now: now)
        }
    }

    private func tick() {
        // Without a stream that takes tokens, `resume` is called when there is one.
        isRunning = step(0) > 0
        if isRunning { schedule(due: .now()) }
    }

    private func tick(planned: NIODeadline, now: NIODeadline) {
        let due = Self.moments(late: (now - planned).nanoseconds, interval, phases: streams.count)
        for _ in 0..<due.given {
            moment = (moment + 1) % streams.count
            _ = step(moment)
        }
        isRunning = count > 0
        if isRunning { schedule(due: planned + .nanoseconds(due.passed * interval)) }
    }

    /// What a timer does that is so `late`: the moments that have `passed`, and how many of them
    /// are `given`. Streams keep their pace when it is late by less than a step; for more than a
    /// step nothing is made up, since an engine that is behind gives no two tokens at once.
    static func moments(
        late: Int64, _ interval: Int64, phases: Int
    ) -> (passed: Int64, given: Int) {
        let passed = max(0, late) / interval + 1
        return (passed, Int(min(passed, Int64(phases))))
    }

    /// One step of a phase's streams; returns the tokens written.
    private func step(_ phase: Int) -> Int {
        var written = 0
        // Backwards, since a stream that ends gives its place to the last.
        for index in streams[phase].indices.reversed() {
            let stream = streams[phase][index]
            written += stream.step()
            if stream.hasEnded { remove(stream) }
        }
        counters.wrote(written)
        return written
    }
}
