/// Everything that is wrong with a program's settings, up to `limit`.
package struct ConfigurationErrors: Error, Hashable, Sendable, CustomStringConvertible {
    /// Most problems that are told at once; the rest is counted.
    package static let limit = 50

    package struct Problem: Hashable, Sendable, CustomStringConvertible {
        /// Nil when it is of no single value.
        package var source: ValueSource?
        package var message: String
        /// A flag was used wrongly (status 64), not: a setting is refused (78).
        package var isUsage = false

        package var description: String {
            switch source {
            case nil, .fallback: message
            case let source?: "\(source): \(message)"
            }
        }
    }

    package private(set) var problems: [Problem] = []
    /// Problems beyond the limit.
    package private(set) var omitted = 0

    init() {}

    /// All are about how flags were given.
    package var isUsage: Bool { !problems.isEmpty && problems.allSatisfy(\.isUsage) }

    var isEmpty: Bool { problems.isEmpty }

    mutating func add(_ source: ValueSource?, _ message: String, isUsage: Bool = false) {
        guard problems.count < Self.limit else {
            omitted += 1
            return
        }
        problems.append(Problem(source: source, message: message, isUsage: isUsage))
    }

    /// In the order of the file, as a person will go through it; what has no place comes first.
    mutating func sort() {
        func place(_ problem: Problem) -> (Int, Int) {
            guard case .file(let place)? = problem.source else { return (0, 0) }
            return (place.line, place.column)
        }
        problems = problems.enumerated().sorted {
            (place($0.element), $0.offset) < (place($1.element), $1.offset)
        }.map(\.element)
    }

    package var description: String {
        var lines = problems.map(\.description)
        if omitted > 0 { lines.append("and \(omitted) more") }
        return lines.joined(separator: "\n")
    }
}

private func < (left: ((Int, Int), Int), right: ((Int, Int), Int)) -> Bool {
    (left.0.0, left.0.1, left.1) < (right.0.0, right.0.1, right.1)
}
