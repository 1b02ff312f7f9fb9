import Foundation
import InferenceAPI
import NIOCore

/// One line of the access log: what a request was, what it cost and how it ended. No text of
/// prompts or answers, and no key.
struct AccessRecord: Sendable {
    /// When the request's head came; seconds since 1970.
    var time: Double
    var requestID: String
    /// Of the trace that it belongs to; nil without one.
    var traceID: String?
    var tenant = ""
    /// The name of the API key; nil where none is asked for.
    var keyName: String?
    /// The part of the key that is no secret; nil for keys of `--api-key-file`.
    var keyPrefix: String?
    /// Nil for a request that names none, and for one that was never understood.
    var tierAsked: String?
    /// What was granted.
    var tier: String?
    var model: String?
    var isStream = false
    var choices = 0
    var promptTokens = 0
    var cachedTokens = 0
    var completionTokens = 0
    /// From the end of preparation to the first worker; nil when there was none.
    var queueMilliseconds: Double?
    /// From the head to the first generated token.
    var firstTokenMilliseconds: Double?
    /// Between the first and the last token, for each token after the first.
    var perTokenMilliseconds: Double?
    var totalMilliseconds: Double
    /// Of each choice that finished.
    var finishReasons: [String] = []
    /// What the client was or would have been told; 499 for one that left.
    var status: Int
    /// `APIErrorKind`; nil for a success.
    var error: String?
    /// Workers that had a choice of it, in order.
    var workers: [UInt32] = []
    var retries = 0
    var resumes = 0

    /// Who asked.
    mutating func note(_ principal: Principal) {
        tenant = principal.tenantID
        keyName = principal.keyName
        keyPrefix = principal.keyPrefix
    }

    /// One JSON object and a newline.
    func write(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"time\":")
        buffer.writeJSONString(Self.timestamp(time))
        buffer.writeStaticString(",\"request_id\":")
        buffer.writeJSONString(requestID)
        write("trace_id", traceID, into: &buffer)
        write("tenant", tenant, into: &buffer)
        write("key", keyName, into: &buffer)
        write("key_prefix", keyPrefix, into: &buffer)
        write("tier_asked", tierAsked, into: &buffer)
        write("tier", tier, into: &buffer)
        write("model", model, into: &buffer)
        buffer.writeString(
            ",\"stream\":\(isStream),\"n\":\(choices),\"tokens_in\":\(promptTokens)"
                + ",\"tokens_cached\":\(cachedTokens),\"tokens_out\":\(completionTokens)")
        write("queue_ms", queueMilliseconds, into: &buffer)
        write("ttft_ms", firstTokenMilliseconds, into: &buffer)
        write("tpot_ms", perTokenMilliseconds, into: &buffer)
        write("e2e_ms", totalMilliseconds, into: &buffer)
        let reasons = finishReasons.map { "\"\($0)\"" }.joined(separator: ",")
        let workers = workers.map { "\($0)" }.joined(separator: ",")
        buffer.writeString(",\"finish\":[\(reasons)],\"status\":\(status)")
        write("error", error, into: &buffer)
        buffer.writeString(
            ",\"workers\":[\(workers)],\"retries\":\(retries),\"resumed\":\(resumes)}\n")
    }

    private func write(_ name: StaticString, _ text: String?, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(",\"")
        buffer.writeStaticString(name)
        buffer.writeStaticString("\":")
        buffer.writeJSONString(orNull: text)
    }

    /// Microseconds are enough; more digits only look precise.
    private func write(_ name: StaticString, _ value: Double?, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(",\"")
        buffer.writeStaticString(name)
        buffer.writeStaticString("\":")
        guard let value else {
            buffer.writeStaticString("null")
            return
        }
        buffer.writeString("\((value * 1_000).rounded() / 1_000)")
    }

    /// RFC 3339 with milliseconds, UTC.
    private static func timestamp(_ seconds: Double) -> String {
        Date(timeIntervalSince1970: seconds).formatted(
            Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
