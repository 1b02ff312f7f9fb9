import Yams

/// Notes what is wrong while a scenario is read, so that all of it can be told at once.
final class ScenarioProblems {
    private(set) var list: [ScenarioError.Problem] = []

    func add(_ node: Node?, _ message: String) {
        list.append(.init(line: node?.mark?.line ?? 0, message: message))
    }
}

/// Keys and values of one part of a scenario. Each key is asked for by the one reader that knows
/// it; what nobody asked for is unknown.
final class ScenarioSection {
    /// Most elements of a list.
    static let elementsMax = 100_000

    let node: Node
    let problems: ScenarioProblems
    private let what: String
    private var entries: [(key: String, node: Node)] = []
    private var known: [String] = []

    init(_ node: Node, _ what: String, _ problems: ScenarioProblems) {
        self.node = node
        self.what = what
        self.problems = problems
        guard case .mapping(let mapping) = node else {
            problems.add(node, "\(what): expected keys and values, not \(Self.say(node))")
            return
        }
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key else {
                problems.add(key, "\(what): expected a key, not \(Self.say(key))")
                continue
            }
            entries.append((scalar.string, value))
        }
    }

    func value(_ key: String) -> Node? {
        if !known.contains(key) { known.append(key) }
        return entries.first { $0.key == key }?.node
    }

    /// All entries, with keys of the file's own choosing.
    func all() -> [(key: String, node: Node)] {
        known += entries.map(\.key)
        return entries
    }

    /// Notes keys that nobody asked for.
    func finish() {
        for entry in entries where !known.contains(entry.key) {
            problems.add(
                entry.node,
                "\(what): unknown key \"\(entry.key)\"; there are \(known.joined(separator: ", "))")
        }
    }

    // MARK: Values

    func number(_ key: String, in range: ClosedRange<Double>) -> Double? {
        value(key).flatMap { number($0, key, in: range) }
    }

    func number(_ node: Node, _ key: String, in range: ClosedRange<Double>) -> Double? {
        if let text = plain(node), let number = Double(text), range.contains(number) {
            return number
        }
        expected(
            "a number of \(Self.say(range.lowerBound))...\(Self.say(range.upperBound))", key, node)
        return nil
    }

    func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
        guard let node = value(key) else { return nil }
        if let text = plain(node), let number = Int(text), range.contains(number) { return number }
        expected("a whole number of \(range.lowerBound)...\(range.upperBound)", key, node)
        return nil
    }

    func flag(_ key: String) -> Bool? {
        guard let node = value(key) else { return nil }
        switch plain(node) {
        case "true": return true
        case "false": return false
        default:
            expected("true or false", key, node)
            return nil
        }
    }

    func text(_ key: String) -> String? {
        value(key).flatMap { text($0, key) }
    }

    func text(_ node: Node, _ key: String) -> String? {
        if case .scalar(let scalar) = node, !scalar.string.isEmpty { return scalar.string }
        expected("a text", key, node)
        return nil
    }

    /// One of `choices`, by their names.
    func choice<Choice: RawRepresentable & CaseIterable>(_ key: String) -> Choice?
    where Choice.RawValue == String {
        guard let node = value(key), let text = text(node, key) else { return nil }
        if let choice = Choice(rawValue: text) { return choice }
        let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        expected("one of \(names)", key, node)
        return nil
    }

    func section(_ key: String) -> ScenarioSection? {
        value(key).map { ScenarioSection($0, key, problems) }
    }

    func list(_ key: String) -> [Node]? {
        value(key).flatMap { list($0, key) }
    }

    func list(_ node: Node, _ key: String) -> [Node]? {
        guard case .sequence(let sequence) = node else {
            expected("a list", key, node)
            return nil
        }
        guard (1...Self.elementsMax).contains(sequence.count) else {
            problems.add(node, "\(key): a list has 1...\(Self.elementsMax) elements")
            return nil
        }
        return Array(sequence)
    }

    /// Notes unless exactly one of `keys` is given.
    func requireOne(of keys: [String]) {
        let given = entries.filter { keys.contains($0.key) }
        guard case .mapping = node, given.count != 1 else { return }
        let names = keys.joined(separator: ", ")
        problems.add(
            given.dropFirst().first?.node ?? node,
            given.isEmpty
                ? "\(what): one of these is missing: \(names)"
                : "\(what): only one of these can be given: \(names)")
    }

    private func expected(_ expectation: String, _ key: String, _ node: Node) {
        problems.add(node, "\(key): expected \(expectation), not \(Self.say(node))")
    }

    /// A scalar that is not quoted.
    private func plain(_ node: Node) -> String? {
        guard case .scalar(let scalar) = node, scalar.style == .plain || scalar.style == .any
        else { return nil }
        return scalar.string
    }

    private static func say(_ number: Double) -> String {
        abs(number) < 1e15 && number == number.rounded() ? "\(Int(number))" : "\(number)"
    }

    /// A node in words.
    static func say(_ node: Node) -> String {
        switch node {
        case .mapping: "keys and values"
        case .sequence: "a list"
        case .alias: "an alias"
        case .scalar(let scalar):
            scalar.string.isEmpty ? "nothing" : "\"\(scalar.string.prefix(80))\""
        }
    }
}
