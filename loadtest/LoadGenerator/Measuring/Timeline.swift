/// What happened in each second of a run. Owned by the run's event loop.
///
/// Bounded: when `pointsMax` are full, each two become one, and later ones are as long. Unlike the
/// histograms of classes it has everything as it happened, also of requests that fail later.
package struct Timeline: Sendable {
    package static let pointsMax = 600
    static let firstWidth: UInt64 = 1_000_000_000

    package struct Point: Sendable, Equatable {
        /// Nanoseconds from the measurement's start, and how long.
        package var start: UInt64 = 0
        package var width: UInt64 = Timeline.firstWidth
        package var sent = 0
        package var succeeded = 0
        package var good = 0
        package var failed = 0
        package var shed = 0
        /// Tokens and deltas of answers.
        package var tokens = 0
        package var deltas = 0
        /// Requests that ran at its end.
        package var inFlight = 0
        /// CPU seconds of the watched processes, in their order, nil where one was not there; empty
        /// where none were sampled.
        package var cpuSeconds: [Double?] = []
        package var timeToFirstToken = SparseHistogram()
        package var interTokenLatency = SparseHistogram()
        package var timePerOutputToken = SparseHistogram()
        package var endToEnd = SparseHistogram()
    }

    package private(set) var points: [Point] = []
    private(set) var width = Self.firstWidth
    private(set) var start: UInt64
    /// The instant at which the running point ends.
    private var currentEnd: UInt64
    /// The running point; its histograms are the dense ones.
    private(set) var current = Point()
    private var timeToFirstToken = LatencyHistogram()
    private var interTokenLatency = LatencyHistogram()
    private var timePerOutputToken = LatencyHistogram()
    private var endToEnd = LatencyHistogram()
    private(set) var inFlight = 0

    /// `start`: of the measurement; instants before it count as it.
    package init(start: UInt64) {
        self.start = start
        currentEnd = start + Self.firstWidth
    }

    mutating func sent(at now: UInt64) {
        roll(to: now)
        current.sent += 1
        inFlight += 1
    }

    mutating func firstToken(_ latency: UInt64, at now: UInt64) {
        roll(to: now)
        timeToFirstToken.record(latency)
    }

    mutating func gap(_ latency: UInt64, at now: UInt64) {
        roll(to: now)
        interTokenLatency.record(latency)
    }

    mutating func delivered(_ deltas: Int, at now: UInt64) {
        roll(to: now)
        current.deltas += deltas
        current.tokens += deltas
    }

    mutating func notSent(at now: UInt64) {
        roll(to: now)
        current.failed += 1
    }

    mutating func ended(_ outcome: RequestOutcome, isGood: Bool, at now: UInt64) {
        roll(to: now)
        inFlight -= 1
        if outcome.wasCancelled { return }
        if outcome.failure != nil {
            current.failed += 1
            current.shed += outcome.wasShed ? 1 : 0
            return
        }
        current.succeeded += 1
        current.good += isGood ? 1 : 0
        current.tokens += outcome.outputTokens - outcome.deltas
        endToEnd.record(outcome.endToEnd)
        if let latency = outcome.timePerOutputToken { timePerOutputToken.record(latency) }
    }

    /// The watched processes used so much CPU time between two instants: each point gets its share
    /// of that time.
    mutating func used(cpuSeconds: [Double?], from: UInt64, to: UInt64) {
        roll(to: to)
        guard to > from else { return }
        func share(from begin: UInt64, to end: UInt64) -> [Double?] {
            let overlap = Double(min(end, to) - max(begin, from)) / Double(to - from)
            return cpuSeconds.map { $0.map { $0 * overlap } }
        }
        let begin = currentEnd - width
        if to > begin {
            current.cpuSeconds = Self.sum(current.cpuSeconds, share(from: begin, to: to))
        }
        for index in points.indices.reversed() {
            let begin = start + points[index].start
            let end = begin + points[index].width
            guard end > from else { break }
            points[index].cpuSeconds = Self.sum(
                points[index].cpuSeconds, share(from: begin, to: end))
        }
    }

    /// What one of them does not know, the sum does not either.
    fileprivate static func sum(_ left: [Double?], _ right: [Double?]) -> [Double?] {
        if left.isEmpty || right.isEmpty { return left + right }
        return zip(left, right).map { left, right in
            left.flatMap { left in right.map { left + $0 } }
        }
    }

    /// When the next whole second of the measurement begins.
    func nextSecond(after now: UInt64) -> UInt64 {
        let passed = now > start ? (now - start) / Self.firstWidth : 0
        return start + (passed + 1) * Self.firstWidth
    }

    /// Closes all points that ended by `now`.
    package mutating func roll(to now: UInt64) {
        while now >= currentEnd { close() }
    }

    /// Closes the running point at `end`, however short it is.
    package mutating func finish(at end: UInt64) {
        roll(to: end)
        let begin = currentEnd - width
        if end > begin { close(width: end - begin) }
    }

    private mutating func close(width closedWidth: UInt64? = nil) {
        current.start = currentEnd - width - start
        current.width = closedWidth ?? width
        current.inFlight = inFlight
        current.timeToFirstToken = Self.drain(&timeToFirstToken)
        current.interTokenLatency = Self.drain(&interTokenLatency)
        current.timePerOutputToken = Self.drain(&timePerOutputToken)
        current.endToEnd = Self.drain(&endToEnd)
        points.append(current)
        current = Point()
        if points.count == Self.pointsMax {
            points = Self.halved(points)
            width *= 2
        }
        currentEnd += width
    }

    private static func drain(_ histogram: inout LatencyHistogram) -> SparseHistogram {
        defer { histogram.reset() }
        return histogram.sparse
    }

    /// Each two neighbours as one.
    package static func halved(_ points: [Point]) -> [Point] {
        stride(from: 0, to: points.count, by: 2).map { index in
            index + 1 < points.count ? points[index].followed(by: points[index + 1]) : points[index]
        }
    }
}

extension Timeline.Point {
    /// Both as one.
    package func followed(by next: Timeline.Point) -> Timeline.Point {
        var both = self
        both.width += next.width
        both.sent += next.sent
        both.succeeded += next.succeeded
        both.good += next.good
        both.failed += next.failed
        both.shed += next.shed
        both.tokens += next.tokens
        both.deltas += next.deltas
        both.inFlight = next.inFlight
        both.cpuSeconds = Timeline.sum(cpuSeconds, next.cpuSeconds)
        both.timeToFirstToken = timeToFirstToken.merged(with: next.timeToFirstToken)
        both.interTokenLatency = interTokenLatency.merged(with: next.interTokenLatency)
        both.timePerOutputToken = timePerOutputToken.merged(with: next.timePerOutputToken)
        both.endToEnd = endToEnd.merged(with: next.endToEnd)
        return both
    }
}
