/// The parameters of a request target's query, as HTML forms write them
/// (application/x-www-form-urlencoded, URL standard §5.1): of equal names the first counts.
package struct Query: Hashable, Sendable {
    /// More are ignored: no endpoint has as many.
    static let parametersLimit = 64

    private struct Parameter: Hashable {
        var name: String
        var value: String
    }

    private var parameters: [Parameter] = []

    /// - Parameter target: path and query of the request.
    package init(of target: String) {
        guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return }
        let query = target[target.index(after: mark)...]
        for part in query.split(separator: "&").prefix(Self.parametersLimit) {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decode(sides[0]),
                let value = Self.decode(sides.count > 1 ? sides[1] : "")
            else { continue }
            parameters.append(Parameter(name: name, value: value))
        }
    }

    /// Nil when the parameter is not there.
    package subscript(name: String) -> String? {
        parameters.first { $0.name == name }?.value
    }

    /// A whole number of a parameter; nil when it is not there.
    ///
    /// Throws `invalidValue` for one that is no number of `range`.
    package func integer(
        _ name: String, in range: ClosedRange<Int>
    ) throws(APIError) -> Int? {
        guard let text = self[name] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw APIError(
                .invalidValue,
                "'\(name)': Expected an integer between \(range.lowerBound) and "
                    + "\(range.upperBound).", parameter: name)
        }
        return number
    }

    /// `true` or `false`; nil when it is not there.
    ///
    /// Throws `invalidValue` for anything else.
    package func bool(_ name: String) throws(APIError) -> Bool? {
        switch self[name] {
        case nil: return nil
        case "true": return true
        case "false": return false
        default:
            throw APIError(
                .invalidValue, "'\(name)': Expected 'true' or 'false'.", parameter: name)
        }
    }

    private static func decode(_ text: Substring) -> String? {
        PercentEncoding.decode(Substring(text.map { $0 == "+" ? " " : $0 }))
    }
}
