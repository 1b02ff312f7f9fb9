/// Tables of comma-separated values, a row a line (RFC 4180, without line breaks inside quotes).
enum CommaSeparated {
    /// A row's values, without the space around them and without their quotes.
    static func cells(_ line: Substring) -> [String] {
        guard line.utf8.contains(UInt8(ascii: "\"")) else {
            return line.split(separator: ",", omittingEmptySubsequences: false).map(trimmed)
        }
        var cells: [String] = []
        var cell = ""
        var isQuoted = false
        for character in line {
            if character == "\"" { isQuoted.toggle() }
            if character == ",", !isQuoted {
                cells.append(unquoted(cell))
                cell = ""
            } else {
                cell.append(character)
            }
        }
        return cells + [unquoted(cell)]
    }

    private static func unquoted(_ cell: String) -> String {
        let value = trimmed(cell[...])
        guard value.count > 1, value.hasPrefix("\""), value.hasSuffix("\"") else { return value }
        return String(value.dropFirst().dropLast()).replacing("\"\"", with: "\"")
    }

    private static func trimmed(_ cell: Substring) -> String {
        var value = cell.drop(while: \.isWhitespace)
        while let last = value.last, last.isWhitespace { value.removeLast() }
        return String(value)
    }
}
