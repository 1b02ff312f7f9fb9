import HTTPTransport
import InferenceTypes

/// The workers that a pool's sources report, and what a change of them means. Pure: time is an
/// argument.
///
/// ```
///            reported            by no source any more
///   ── add ──────────► present ─────────── drain ──────► vanished
///                         ▲                                 │  │ after `graceNanoseconds`
///                         └──── reported again: restore ────┘  └──── remove ──►
/// ```
struct WorkerSet {
    enum Change: Hashable, Sendable {
        case add(WorkerSettings)
        /// It gets no new requests.
        case drain(HTTPEndpoint)
        case restore(WorkerSettings)
        case remove(HTTPEndpoint)
    }

    /// How long a worker that vanished may finish what it has, and come back, before it is removed.
    let graceNanoseconds: Int64
    /// What each source reported last; nil for one that has not yet.
    private var reports: [[WorkerSettings]?]
    /// When a vanished worker is removed; nil for one that is present.
    private var deadlines: [HTTPEndpoint: Instant?] = [:]

    init(sources: Int, graceNanoseconds: Int64) {
        self.graceNanoseconds = graceNanoseconds
        reports = Array(repeating: nil, count: sources)
    }

    /// Other sources from now on. What they do not have vanishes once all have reported.
    mutating func follow(sources: Int) {
        reports = Array(repeating: nil, count: sources)
    }

    /// Workers that are present or vanished.
    var count: Int { deadlines.count }

    /// When `expire` has something to do; nil: never.
    var nextDeadline: Instant? { deadlines.values.compactMap { $0 }.min() }

    /// A source reports its full set. New workers come first, in the order of the sources, so that
    /// nothing is lost before its replacement is there.
    mutating func report(_ workers: [WorkerSettings], from source: Int, now: Instant) -> [Change] {
        reports[source] = workers
        var changes: [Change] = []
        var wanted: Set<HTTPEndpoint> = []
        // The first source that has a worker says what it is like.
        for worker in reports.compactMap({ $0 }).joined()
        where wanted.insert(worker.endpoint).inserted {
            switch deadlines.updateValue(nil, forKey: worker.endpoint) {
            case nil: changes.append(.add(worker))
            case .some(nil): break
            case .some(.some): changes.append(.restore(worker))
            }
        }
        // A source that has not reported may have any of them.
        guard reports.allSatisfy({ $0 != nil }) else { return changes }
        let deadline = now.advanced(byNanoseconds: graceNanoseconds)
        let vanished = deadlines.filter { !wanted.contains($0.key) && $0.value == nil }.keys
        for endpoint in vanished.sorted(by: { $0.text < $1.text }) {
            deadlines.updateValue(deadline, forKey: endpoint)
            changes.append(.drain(endpoint))
        }
        return changes
    }

    /// Removes what vanished long enough ago.
    mutating func expire(now: Instant) -> [Change] {
        let over = deadlines.filter { _, deadline in deadline.map { $0 <= now } ?? false }.keys
        for endpoint in over { deadlines.removeValue(forKey: endpoint) }
        return over.sorted { $0.text < $1.text }.map { .remove($0) }
    }
}
