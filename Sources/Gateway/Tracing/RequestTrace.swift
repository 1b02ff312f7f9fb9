import Foundation
import InferenceAPI
import InferenceTypes
import Routing

/// What one request's trace says of it: a span for the request, and below it one for its
/// preparation, one for each time that a choice waits for a worker and one for each attempt of a
/// choice at a worker. Owned by the connection's loop.
///
/// Without an exporter it is the client's own context that workers and upstreams get.
final class RequestTrace {
    /// Spans kept of one request; later ones are counted and dropped.
    static let spansLimit = 256

    /// What of the gateway shows in it: the name of the trace, and the request's own span.
    let context: TraceContext

    /// Nil where nobody wants the spans: no exporter, or not sampled.
    private let queue: SpanQueue?
    private let parent: UInt64?
    /// What unix time it was at the loop's instant 0, in nanoseconds.
    private let epoch: Int64
    private let arrival: Instant
    private var spans: [Span] = []
    private var droppedSpans = 0
    private var preparation: Instant?
    /// Of each choice: since when it waits, or its attempt.
    private var waiting: [Int: Instant] = [:]
    private var attempts: [Int: Span] = [:]
    private var contexts: [Int: TraceContext] = [:]
    private var generator = SystemRandomNumberGenerator()

    /// Nil when there is neither an exporter nor a context of the client's.
    init?(_ tracer: Tracer?, parent: TraceContext?, arrival: Instant, now: Instant) {
        guard let tracer else {
            guard let parent else { return nil }
            (context, queue, self.parent, epoch) = (parent, nil, nil, 0)
            self.arrival = arrival
            return
        }
        let context = tracer.begin(below: parent, using: &generator)
        self.context = context
        self.arrival = arrival
        self.parent = parent?.spanID
        guard context.isSampled else {
            (queue, epoch) = (nil, 0)
            return
        }
        queue = tracer.queue
        epoch = Int64(Date().timeIntervalSince1970 * 1e9) - now.nanoseconds
    }

    /// What a choice's worker gets.
    func context(ofChoice choice: Int) -> TraceContext { contexts[choice] ?? context }

    // MARK: What happens

    func preparationBegan(at now: Instant) {
        guard queue != nil else { return }
        preparation = now
    }

    func preparationEnded(at now: Instant) {
        guard let began = preparation else { return }
        preparation = nil
        var span = child("prepare", .within, since: began)
        span.end = time(now)
        add(span)
    }

    func choiceWaits(_ choice: Int, since now: Instant) {
        guard queue != nil else { return }
        waiting[choice] = now
    }

    /// A choice begins on a worker.
    func attemptBegan(
        _ choice: Int, attempt: Int, worker: WorkerID, address: String?, at now: Instant
    ) {
        guard queue != nil else { return }
        endWait(of: choice, at: now, error: nil)
        var span = child("generate", .client, since: now)
        span.set("switchyard.choice", .integer(choice))
        span.set("switchyard.attempt", .integer(attempt))
        span.set("switchyard.worker", .integer(Int(worker.number)))
        span.set("server.address", address.map { .text($0) })
        attempts[choice] = span
        var context = context
        context.spanID = span.id
        contexts[choice] = context
    }

    /// The worker's prefill is over: its first token came.
    func attemptAnswered(_ choice: Int, at now: Instant) {
        attempts[choice]?.events.append(Span.Event(name: "gen_ai.first_token", time: time(now)))
    }

    /// Nothing when it has ended.
    func attemptEnded(_ choice: Int, error: String?, at now: Instant) {
        guard var span = attempts.removeValue(forKey: choice) else { return }
        span.end = time(now)
        span.error = error
        if let error { span.set("error.type", .text(error)) }
        add(span)
    }

    /// Everything is over; the spans go to the exporter.
    func ended(_ outcome: Outcome, at now: Instant) {
        guard let queue else { return }
        for choice in attempts.keys.sorted() {
            attemptEnded(choice, error: outcome.record.error, at: now)
        }
        for choice in waiting.keys.sorted() {
            endWait(of: choice, at: now, error: outcome.record.error)
        }
        preparationEnded(at: now)
        var span = Span(
            outcome.name, .server, id: context.spanID, parent: parent, start: time(arrival))
        span.end = time(now)
        outcome.write(into: &span, firstToken: outcome.firstToken.map(time))
        if droppedSpans > 0 { span.set("switchyard.dropped_spans", .integer(droppedSpans)) }
        spans.append(span)
        queue.add(
            SpanQueue.Trace(context: context, hasRemoteParent: parent != nil, spans: spans),
            dropped: droppedSpans)
        spans = []
    }

    private func endWait(of choice: Int, at now: Instant, error: String?) {
        guard let since = waiting.removeValue(forKey: choice) else { return }
        var span = child("queue", .within, since: since)
        span.end = time(now)
        span.error = error
        span.set("switchyard.choice", .integer(choice))
        add(span)
    }

    private func add(_ span: Span) {
        // The request's own span comes last, and always.
        guard spans.count < Self.spansLimit - 1 else {
            droppedSpans += 1
            return
        }
        spans.append(span)
    }

    private func child(_ name: String, _ kind: Span.Kind, since start: Instant) -> Span {
        Span(
            name, kind, id: Tracer.spanID(using: &generator), parent: context.spanID,
            start: time(start))
    }

    private func time(_ instant: Instant) -> Int64 { epoch + instant.nanoseconds }
}
