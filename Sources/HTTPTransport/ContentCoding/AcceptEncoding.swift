/// A client's `accept-encoding` (RFC 9110 §12.5.3), as far as we have codings to offer.
package struct AcceptEncoding: Sendable, Equatable {
    /// Quality in thousandths; nil: not named. The last mention of a coding wins.
    private var gzip: Int?
    private var identity: Int?
    private var any: Int?

    /// `values` are those of all fields of the name, in order. Members that do not parse are
    /// ignored: an answer without coding is always right.
    package init(_ values: [String]) {
        for member in values.flatMap({ $0.split(separator: ",") }) {
            let parts = member.split(separator: ";", omittingEmptySubsequences: false)
                .map { HTTP1Request.trimmed(String($0)).lowercased() }
            guard let quality = Self.quality(parts.dropFirst()) else { continue }
            switch parts[0] {
            case "gzip", "x-gzip": gzip = quality
            case "identity": identity = quality
            case "*": any = quality
            default: break
            }
        }
    }

    /// Whether to answer with gzip: the client takes it, and does not like plain answers better.
    /// No field at all means no gzip: such clients are the simple ones.
    package var prefersGzip: Bool {
        guard let quality = gzip ?? any, quality > 0 else { return false }
        return quality >= identity ?? 0
    }

    /// 1000 without a weight; nil for a weight that is not one (RFC 9110 §12.4.2).
    private static func quality(_ parameters: ArraySlice<String>) -> Int? {
        guard let weight = parameters.first(where: { $0.hasPrefix("q=") }) else {
            return parameters.isEmpty ? 1_000 : nil
        }
        let digits = weight.dropFirst(2)
        guard let first = digits.first, first == "0" || first == "1" else { return nil }
        let fraction = digits.dropFirst(2)
        guard digits.count == 1 || digits.dropFirst().first == ".", fraction.count <= 3,
            let value = fraction.isEmpty ? 0 : Int(fraction), !fraction.hasPrefix("-"),
            !fraction.hasPrefix("+")
        else { return nil }
        let scale = [1_000, 100, 10, 1][fraction.count]
        let total = (first == "1" ? 1_000 : 0) + value * scale
        return total <= 1_000 ? total : nil
    }
}
