/// What somebody may have meant.
enum Suggestion {
    /// Edits that a suggestion may be away.
    private static let distanceLimit = 2

    /// `; did you mean "slots"?`, or nothing.
    static func text(for word: String, among known: [String]) -> String {
        guard let best = best(for: word, among: known) else { return "" }
        return "; did you mean \"\(best)\"?"
    }

    static func best(for word: String, among known: [String]) -> String? {
        var best: (word: String, distance: Int)?
        for candidate in known where abs(candidate.count - word.count) <= distanceLimit {
            let distance = distance(Array(word), Array(candidate))
            guard distance <= min(distanceLimit, max(1, candidate.count / 2)) else { continue }
            if let current = best, current.distance <= distance { continue }
            best = (candidate, distance)
        }
        return best?.word
    }

    /// Insertions, deletions and replacements; neighbours that changed places count as one.
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var before: [Int] = []
        var previous = Array(0...right.count)
        for (row, letter) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                var least = min(
                    previous[column + 1] + 1, current[column] + 1,
                    previous[column] + (letter == other ? 0 : 1))
                if row > 0, column > 0, letter == right[column - 1], left[row - 1] == other {
                    least = min(least, before[column - 1] + 1)
                }
                current.append(least)
            }
            before = previous
            previous = current
        }
        return previous[right.count]
    }
}
