/// Where a request stands in a distributed trace: W3C Trace Context, levels 1 and 2
/// (https://www.w3.org/TR/trace-context/).
package struct TraceContext: Hashable, Sendable {
    /// 16 bytes, not all zero.
    package struct TraceID: Hashable, Sendable {
        package var high: UInt64
        package var low: UInt64

        package init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }

        /// 32 hex digits.
        package var text: String { TraceContext.hex(high) + TraceContext.hex(low) }
    }

    package var traceID: TraceID
    /// Of who sends this: the parent of what the receiver does. Not 0.
    package var spanID: UInt64
    /// The bits that are known; others are dropped, as §3.2.2.5 wants.
    package var flags: UInt8
    /// The members of `tracestate`; empty for none.
    package var state: String

    package static let sampledFlag: UInt8 = 1
    /// The trace id's lower bytes are random (level 2).
    package static let randomFlag: UInt8 = 2
    private static let knownFlags = sampledFlag | randomFlag

    /// Members of `tracestate` that are passed on, and their length in all (§3.3.1.1, §3.3.1.5).
    package static let stateMembersLimit = 32
    package static let stateBytesLimit = 512
    /// A longer member is the first to go when all are too long.
    private static let longMemberBytes = 128

    package init(traceID: TraceID, spanID: UInt64, flags: UInt8, state: String = "") {
        self.traceID = traceID
        self.spanID = spanID
        self.flags = flags & Self.knownFlags
        self.state = state
    }

    /// From the fields of a request; nil without exactly one `traceparent` that is well formed.
    /// A malformed `tracestate` is dropped alone.
    package init?(traceparent: [String], tracestate: [String] = []) {
        guard traceparent.count == 1, let fields = Self.fields(of: traceparent[0]) else {
            return nil
        }
        self.init(
            traceID: fields.traceID, spanID: fields.spanID, flags: fields.flags,
            state: Self.state(of: tracestate))
    }

    /// Whoever began the trace wants its spans kept.
    package var isSampled: Bool { flags & Self.sampledFlag != 0 }

    /// The field's value, in version 00.
    package var traceparent: String {
        "00-\(traceID.text)-\(Self.hex(spanID))-0\(flags)"
    }

    /// 16 hex digits.
    package static func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    // MARK: traceparent (§3.2)

    private static func fields(
        of text: String
    ) -> (traceID: TraceID, spanID: UInt64, flags: UInt8)? {
        let bytes = Array(text.utf8)
        let dash = UInt8(ascii: "-")
        guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
            let version = number(bytes[0..<2]), version != 0xFF,
            // Later versions may add fields, this one may not.
            bytes.count == 55 || version > 0 && bytes[55] == dash,
            let high = number(bytes[3..<19]), let low = number(bytes[19..<35]), high | low != 0,
            let spanID = number(bytes[36..<52]), spanID != 0,
            let flags = number(bytes[53..<55])
        else { return nil }
        return (TraceID(high: high, low: low), spanID, UInt8(flags))
    }

    /// Of at most 16 lower-case hex digits; nil for anything else.
    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var number: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                number = number << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                number = number << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return number
    }

    // MARK: tracestate (§3.3)

    private static func state(of values: [String]) -> String {
        var members: [Substring] = []
        var keys: Set<Substring> = []
        for value in values {
            for part in value.split(separator: ",") {
                let member = trimmed(part)
                guard !member.isEmpty else { continue }
                guard let equals = member.utf8.firstIndex(of: UInt8(ascii: "=")),
                    isKey(member[..<equals].utf8),
                    isValue(member[member.utf8.index(after: equals)...].utf8),
                    keys.insert(member[..<equals]).inserted
                else { return "" }
                members.append(member)
            }
        }
        guard members.count <= stateMembersLimit else { return "" }
        func length() -> Int { members.reduce(-1) { $0 + $1.utf8.count + 1 } }
        if length() > stateBytesLimit {
            members.removeAll { $0.utf8.count > longMemberBytes }
            while length() > stateBytesLimit { members.removeLast() }
        }
        return members.joined(separator: ",")
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }

    private static func isKey(_ bytes: Substring.UTF8View) -> Bool {
        func begins(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard bytes.count <= 256, let first = bytes.first, begins(first) else { return false }
        return bytes.allSatisfy { begins($0) || "_-*/@".utf8.contains($0) }
    }

    private static func isValue(_ bytes: Substring.UTF8View) -> Bool {
        (1...256).contains(bytes.count)
            && bytes.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "=") }
    }
}
