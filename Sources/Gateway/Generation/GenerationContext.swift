import HTTPTransport
import InferenceAPI
import InferenceTypes

/// What is known of a request before its body: who asks, and how long they wait.
struct GenerationContext: Sendable {
    var requestID: String
    var caller: ChatCaller
    var arrival: Instant
    /// From `x-slo-ttft-ms`: a request that has no worker by then is refused.
    var firstTokenDeadline: Instant?
    /// When nobody waits for any of it any more (`grpc-timeout`).
    var deadline: Instant?
    /// A streamed answer goes on without its client (`x-switchyard-background`).
    var isBackground = false
    /// Fields of the request that workers are told too.
    var forwardedFields: HTTPFields = [:]
    /// Instead of the one that the request asks for.
    var tier: ServiceTier?
    /// What the answer shall be called; nil: a new name.
    var answerID: String?
    /// What its tokens are billed under; nil: a new name. A request that is run again keeps it.
    var usageID: String?
    /// From `traceparent` and `tracestate`; nil without a valid one.
    var parent: TraceContext?
    /// Host and port that the client called.
    var authority = ""

    init(requestID: String, caller: ChatCaller, arrival: Instant) {
        self.requestID = requestID
        self.caller = caller
        self.arrival = arrival
    }

    /// The fields of every face over HTTP.
    ///
    /// Throws `invalidHeader`.
    init(
        _ head: HTTPRequestHead, requestID: String, principal: Principal, arrival: Instant
    ) throws(APIError) {
        self.requestID = requestID
        self.arrival = arrival
        caller = ChatCaller(
            principal: principal, conversation: RequestHeaders.conversationID(in: head))
        firstTokenDeadline = try RequestHeaders.ttftMilliseconds(head.fields["x-slo-ttft-ms"])
            .map { arrival.advanced(byNanoseconds: Int64($0) * 1_000_000) }
        isBackground = try RequestHeaders.background(head.fields["x-switchyard-background"])
        parent = TraceContext(
            traceparent: head.fields.values(named: "traceparent"),
            tracestate: head.fields.values(named: "tracestate"))
        authority = head.authority
        for name in ["x-grok-conv-id", "x-session-id"] {
            if let value = head.fields[name] { forwardedFields.append(name, value) }
        }
    }
}
