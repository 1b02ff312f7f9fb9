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
    private(set) var tokens = 0
    /// The latest that a moment came after it was due, in nanoseconds.
    private(set) var worstLateness: Int64 = 0

    init(_ configuration: UpstreamConfiguration, on loop: any EventLoop) {
        self.loop = loop
        let step = Int64(configuration.stepMilliseconds * 1e6)
        let phases = step > 0 ? configuration.phases : 1
        interval = step / Int64(phases)
        streams = Array(repeating: [], count: phases)
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
            self.worstLateness = max(self.worstLateness, (now - due).nanoseconds)
            self.tick(due: due, now: now)
        }
    }

    private func tick() {
        // Without a stream that takes tokens, `resume` is called when there is one.
        isRunning = step(0) > 0
        if isRunning { schedule(due: .now()) }
    }

    private func tick(due: NIODeadline, now: NIODeadline) {
        moment = (moment + 1) % streams.count
        _ = step(moment)
        isRunning = count > 0
        // Moments that were missed are left out, as an engine's steps would be.
        if isRunning { schedule(due: max(due + .nanoseconds(interval), now)) }
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
        tokens += written
        return written
    }
}
