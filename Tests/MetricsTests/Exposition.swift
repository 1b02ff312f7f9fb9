/// A strict reader of Prometheus text, for tests: each family's HELP and TYPE come once and before
/// its samples, samples of a family stay together, and every escape is known.
struct Exposition {
    struct Sample: Hashable {
        var name: String
        var labels: [String: String]
    }

    struct Malformed: Error {
        var line: String
        var reason: String
    }

    private(set) var types: [String: String] = [:]
    private(set) var samples: [Sample: Double] = [:]
    private var order: [Sample] = []

    func value(_ name: String, _ labels: [String: String]) -> Double? {
        samples[Sample(name: name, labels: labels)]
    }

    init(parsing text: String) throws {
        guard text.hasSuffix("\n") else { throw Malformed(line: "", reason: "no final newline") }
        var helped: Set<String> = []
        var current = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            let line = String(line)
            let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
            if line.hasPrefix("# HELP ") {
                guard words.count >= 3, helped.insert(String(words[2])).inserted else {
                    throw Malformed(line: line, reason: "second HELP")
                }
            } else if line.hasPrefix("# TYPE ") {
                guard words.count == 4, helped.contains(String(words[2])),
                    types[String(words[2])] == nil,
                    ["counter", "gauge", "histogram"].contains(words[3])
                else { throw Malformed(line: line, reason: "bad TYPE") }
                current = String(words[2])
                types[current] = String(words[3])
            } else {
                try readSample(line, family: current)
            }
        }
    }

    private mutating func readSample(_ line: String, family: String) throws {
        var rest = Substring(line)
        let name = String(rest.prefix { $0 != "{" && $0 != " " })
        rest = rest.dropFirst(name.count)
        let suffixes = types[family] == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
        guard suffixes.contains(where: { name == family + $0 }) else {
            throw Malformed(line: line, reason: "not of family \(family)")
        }
        var labels: [String: String] = [:]
        if rest.first == "{" {
            repeat {
                rest.removeFirst()
                let label = String(rest.prefix { $0 != "=" })
                rest = rest.dropFirst(label.count)
                let value = try readQuoted(&rest, line)
                guard labels.updateValue(value, forKey: label) == nil else {
                    throw Malformed(line: line, reason: "label twice")
                }
            } while rest.first == ","
            guard rest.popFirst() == "}" else { throw Malformed(line: line, reason: "no }") }
        }
        guard rest.popFirst() == " ", let value = Self.number(rest) else {
            throw Malformed(line: line, reason: "no value")
        }
        let sample = Sample(name: name, labels: labels)
        guard samples.updateValue(value, forKey: sample) == nil else {
            throw Malformed(line: line, reason: "sample twice")
        }
        order.append(sample)
    }

    private func readQuoted(_ rest: inout Substring, _ line: String) throws -> String {
        guard rest.popFirst() == "=", rest.popFirst() == "\"" else {
            throw Malformed(line: line, reason: "no quote")
        }
        var value = ""
        while let character = rest.popFirst() {
            if character == "\"" { return value }
            guard character == "\\" else {
                value.append(character)
                continue
            }
            switch rest.popFirst() {
            case "\\": value += "\\"
            case "\"": value += "\""
            case "n": value += "\n"
            default: throw Malformed(line: line, reason: "unknown escape")
            }
        }
        throw Malformed(line: line, reason: "unclosed quote")
    }

    private static func number(_ text: Substring) -> Double? {
        switch text {
        case "+Inf": .infinity
        case "-Inf": -.infinity
        case "NaN": .nan
        default: text.contains { $0 == " " || $0.isLetter && $0 != "e" } ? nil : Double(text)
        }
    }

    /// Buckets ascend in `le` and never fall in count, `+Inf` is last and equals the count.
    func checkHistogram(_ name: String, bucketCount: Int) throws {
        let buckets = order.filter { $0.name == name + "_bucket" }
        let bounds = buckets.compactMap { $0.labels["le"].flatMap { Self.number(Substring($0)) } }
        let counts = buckets.compactMap { samples[$0] }
        guard buckets.count == bucketCount, bounds.count == bucketCount,
            zip(bounds, bounds.dropFirst()).allSatisfy(<),
            zip(counts, counts.dropFirst()).allSatisfy(<=), bounds.last == .infinity,
            counts.last == value(name + "_count", [:]), value(name + "_sum", [:]) != nil
        else { throw Malformed(line: name, reason: "not a histogram") }
    }
}
