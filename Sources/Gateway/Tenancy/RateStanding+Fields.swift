import Admission
import GRPC
import HTTPTransport

/// `x-ratelimit-*` as OpenAI's clients read them
/// (platform.openai.com/docs/guides/rate-limits, "Rate limits in headers"): limits are per minute,
/// resets are durations such as `1s`, `6m0s` or `120ms`.
extension RateStanding {
    var fields: HTTPFields {
        var fields = HTTPFields()
        for (name, allowance) in [("requests", requests), ("tokens", tokens)] {
            guard let allowance else { continue }
            fields.append("x-ratelimit-limit-\(name)", String(allowance.limit))
            fields.append("x-ratelimit-remaining-\(name)", String(allowance.remaining))
            fields.append(
                "x-ratelimit-reset-\(name)", Self.duration(nanoseconds: allowance.resetNanoseconds))
        }
        return fields
    }

    /// In Go's notation, in whole milliseconds, rounded up.
    static func duration(nanoseconds: Int64) -> String {
        let milliseconds = (max(0, nanoseconds) + 999_999) / 1_000_000
        guard milliseconds >= 1_000 else { return "\(milliseconds)ms" }
        let (minutes, rest) = milliseconds.quotientAndRemainder(dividingBy: 60_000)
        let (seconds, fraction) = rest.quotientAndRemainder(dividingBy: 1_000)
        let digits = String(fraction + 1_000).dropFirst()
        let shown = fraction == 0 ? "\(seconds)s" : "\(seconds).\(digits)s"
        return minutes == 0 ? shown : "\(minutes)m\(shown)"
    }
}

extension GRPCMetadata {
    /// The same as HTTP's answer has, for a call's trailers.
    mutating func append(_ standing: RateStanding) {
        for field in standing.fields { append(field.name, field.value) }
    }
}
