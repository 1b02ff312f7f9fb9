/// A list of names that are allowed, in which `*` stands for any text, none included.
struct NamePatterns: Hashable, Sendable {
    private let patterns: [[UInt8]]

    init(_ patterns: [String]) {
        self.patterns = patterns.map { Array($0.utf8) }
    }

    func matches(_ name: String) -> Bool {
        let name = Array(name.utf8)
        return patterns.contains { Self.matches($0, name) }
    }

    /// Looks at each byte of the name once for each star: what follows the last star that was seen
    /// is tried at every place, earlier stars need no second try.
    private static func matches(_ pattern: [UInt8], _ name: [UInt8]) -> Bool {
        var (place, position) = (0, 0)
        var star: (place: Int, position: Int)?
        while position < name.count {
            if place < pattern.count, pattern[place] == UInt8(ascii: "*") {
                star = (place, position)
                place += 1
            } else if place < pattern.count, pattern[place] == name[position] {
                place += 1
                position += 1
            } else if let last = star {
                star = (last.place, last.position + 1)
                (place, position) = (last.place + 1, last.position + 1)
            } else {
                return false
            }
        }
        return pattern[place...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
