/// Which characters may stand at a place: ranges of code points, ascending and apart.
struct ScalarSet: Hashable, Sendable {
    private(set) var ranges: [ClosedRange<UInt32>]

    init(_ ranges: [ClosedRange<UInt32>]) {
        var merged: [ClosedRange<UInt32>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound &+ 1 {
                let upper = max(last.upperBound, range.upperBound)
                merged[merged.count - 1] = last.lowerBound...upper
            } else {
                merged.append(range)
            }
        }
        self.ranges = merged
    }

    init(_ scalar: Unicode.Scalar) { ranges = [scalar.value...scalar.value] }

    init(_ characters: String) {
        self.init(characters.unicodeScalars.map { $0.value...$0.value })
    }

    static let digits = ScalarSet([0x30...0x39])
    static let word = ScalarSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    static let space = ScalarSet(" \t\n\r")
    /// What `.` and negations are taken from, so that no control characters are asked for. U+2028
    /// and U+2029 end lines for some dialects.
    static let visible = ScalarSet([
        0x20...0x7E, 0xA0...0x2027, 0x202A...0xD7FF, 0xE000...0x10FFFF,
    ])
    /// What `\D`, `\W` and `\S` are taken from: beyond it, dialects differ.
    static let ascii = ScalarSet([0x20...0x7E])

    var isEmpty: Bool { ranges.isEmpty }

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        ranges.contains { $0.contains(scalar.value) }
    }

    func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }

    func subtracting(_ other: ScalarSet) -> ScalarSet {
        var result: [ClosedRange<UInt32>] = []
        for range in ranges {
            var start = range.lowerBound
            for hole in other.ranges
            where hole.upperBound >= start && hole.lowerBound <= range.upperBound {
                if hole.lowerBound > start { result.append(start...hole.lowerBound - 1) }
                start = hole.upperBound + 1
            }
            if start <= range.upperBound { result.append(start...range.upperBound) }
        }
        return ScalarSet(result)
    }
}

/// A regular expression that a whole string must match.
indirect enum SchemaPattern: Hashable, Sendable {
    case set(ScalarSet)
    case sequence([SchemaPattern])
    case choice([SchemaPattern])
    case repetition(SchemaPattern, least: Int, most: Int?)

    /// In code points; `most` is nil when there is no bound.
    var lengths: (least: Int, most: Int?) {
        switch self {
        case .set: return (1, 1)
        case .sequence(let parts):
            var sum: (least: Int, most: Int?) = (0, 0)
            for part in parts.map(\.lengths) {
                sum.least = Self.adding(sum.least, part.least)
                sum.most = sum.most.flatMap { most in part.most.map { Self.adding(most, $0) } }
            }
            return sum
        case .choice(let branches):
            let lengths = branches.map(\.lengths)
            let isBounded = lengths.allSatisfy { $0.most != nil }
            return (
                lengths.map(\.least).min() ?? 0,
                isBounded ? lengths.compactMap(\.most).max() ?? 0 : nil
            )
        case .repetition(let part, let least, let most):
            let one = part.lengths
            return (
                Self.multiplying(one.least, least),
                one.most.flatMap { length in
                    length == 0 ? 0 : most.map { Self.multiplying(length, $0) }
                }
            )
        }
    }

    private static func adding(_ left: Int, _ right: Int) -> Int {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }

    private static func multiplying(_ left: Int, _ right: Int) -> Int {
        let (product, overflow) = left.multipliedReportingOverflow(by: right)
        return overflow ? .max : product
    }

    /// Whether all of `text` matches. Gives up, with false, after a number of steps that no
    /// sensible pattern needs.
    func matches(_ text: String) -> Bool {
        var matcher = PatternMatcher(text: Array(text.unicodeScalars))
        return matcher.matches(self)
    }
}

/// Follows all matches at once: sets of places instead of backtracking.
private struct PatternMatcher {
    let text: [Unicode.Scalar]
    private var steps = 0
    private static let stepsMax = 200_000

    init(text: [Unicode.Scalar]) { self.text = text }

    mutating func matches(_ pattern: SchemaPattern) -> Bool {
        ends(of: pattern, from: [0]).contains(text.count)
    }

    /// Where matches that begin at one of `starts` can end.
    private mutating func ends(of pattern: SchemaPattern, from starts: Set<Int>) -> Set<Int> {
        steps += starts.count + 1
        guard steps <= Self.stepsMax else { return [] }
        switch pattern {
        case .set(let set):
            return Set(
                starts.compactMap { start in
                    start < text.count && set.contains(text[start]) ? start + 1 : nil
                })
        case .sequence(let parts):
            var ends = starts
            for part in parts {
                ends = self.ends(of: part, from: ends)
                if ends.isEmpty { break }
            }
            return ends
        case .choice(let branches):
            var ends: Set<Int> = []
            for branch in branches { ends.formUnion(self.ends(of: branch, from: starts)) }
            return ends
        case .repetition(let part, let least, let most):
            var current = starts
            var all: Set<Int> = least == 0 ? starts : []
            var count = 0
            while count < most ?? .max, !current.isEmpty {
                current = ends(of: part, from: current)
                count += 1
                guard count >= least else { continue }
                let isNew = !current.isSubset(of: all)
                all.formUnion(current)
                if !isNew { break }
            }
            return all
        }
    }
}
