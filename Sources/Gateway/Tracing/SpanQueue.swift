import InferenceTypes
import Synchronization

/// Spans that wait for the exporter. Connection loops add, the exporter takes: a lock guards it,
/// taken once per request and once per batch. Bounded: what does not fit is dropped and counted.
final class SpanQueue: Sendable {
    /// The spans of one request.
    struct Trace: Sendable {
        var context: TraceContext
        var hasRemoteParent: Bool
        /// The request's own span comes last.
        var spans: [Span]
    }

    /// Spans that may wait: some tens of MB.
    static let spansLimit = 16_384

    private struct State {
        var traces: [Trace] = []
        var spans = 0
        var dropped: UInt64 = 0
        var exported: UInt64 = 0
    }

    private let state = Mutex(State())

    /// - Parameter dropped: further spans of the request that are lost already.
    func add(_ trace: Trace, dropped: Int) {
        state.withLock { state in
            state.dropped += UInt64(dropped)
            guard state.spans + trace.spans.count <= Self.spansLimit else {
                state.dropped += UInt64(trace.spans.count)
                return
            }
            state.spans += trace.spans.count
            state.traces.append(trace)
        }
    }

    /// The oldest traces, with about `limit` spans; empty when nothing waits.
    func take(spans limit: Int) -> [Trace] {
        state.withLock { state in
            var count = 0
            var end = 0
            while end < state.traces.count, count < limit {
                count += state.traces[end].spans.count
                end += 1
            }
            let taken = Array(state.traces[..<end])
            state.traces.removeFirst(end)
            state.spans -= count
            return taken
        }
    }

    func noteDropped(_ count: Int) {
        state.withLock { $0.dropped += UInt64(count) }
    }

    func noteExported(_ count: Int) {
        state.withLock { $0.exported += UInt64(count) }
    }

    /// Since the start.
    var droppedSpans: UInt64 { state.withLock { $0.dropped } }
    var exportedSpans: UInt64 { state.withLock { $0.exported } }
}
