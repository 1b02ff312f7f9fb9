import InferenceTypes

/// Whether and how spans of requests are made. Immutable; the queue is synchronised inside.
struct Tracer: Sendable {
    let queue: SpanQueue
    /// Of the traces that begin here, 0...1.
    let sampleRatio: Double

    /// The context of a request's own span. Below a parent it is sampled as the parent is;
    /// otherwise a trace begins, sampled by its id, so that everybody with the same ratio decides
    /// the same (OpenTelemetry's TraceIdRatioBased).
    func begin(
        below parent: TraceContext?, using generator: inout SystemRandomNumberGenerator
    ) -> TraceContext {
        if let parent {
            var context = parent
            context.spanID = Self.spanID(using: &generator)
            return context
        }
        var low = UInt64.zero
        while low == 0 { low = generator.next() }
        let isSampled = Double(low >> 11) < sampleRatio * Double(1 << 53)
        return TraceContext(
            traceID: TraceContext.TraceID(high: generator.next(), low: low),
            spanID: Self.spanID(using: &generator),
            flags: TraceContext.randomFlag | (isSampled ? TraceContext.sampledFlag : 0))
    }

    static func spanID(using generator: inout SystemRandomNumberGenerator) -> UInt64 {
        var id = UInt64.zero
        while id == 0 { id = generator.next() }
        return id
    }
}

/// Where spans go, and how many.
package struct TracingSettings: Hashable, Sendable {
    /// An OTLP collector's, without `/v1/traces`.
    package var endpoint: UpstreamAddress
    package var sampleRatio: Double = 1
    /// `service.name`.
    package var serviceName = "switchyard"

    package init(endpoint: UpstreamAddress) {
        self.endpoint = endpoint
    }
}
