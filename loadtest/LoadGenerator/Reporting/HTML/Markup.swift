/// Pieces of a document that is HTML and well-formed XML at once.
enum Markup {
    /// Text, also for attributes in double quotes. What XML 1.0 forbids becomes a question mark.
    static func text(_ raw: some StringProtocol) -> String {
        var out = ""
        out.reserveCapacity(raw.utf8.count)
        for scalar in raw.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            case "\t", "\n", "\r": out.unicodeScalars.append(scalar)
            case _ where scalar.value < 0x20 || (0xFFFE...0xFFFF).contains(scalar.value):
                out += "?"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    /// A coordinate of a plot.
    static func at(_ value: Double) -> String { Decimals.text(value, 1) }
}
