/// GBNF expressions for numbers within bounds.
enum SchemaNumbers {
    /// Digits behind the point.
    private static let fraction = #"("." [0-9]{1,15})?"#

    static func integer(_ range: ClosedRange<Int64>) -> String {
        let most = SchemaReader.integerMax
        if range == -most...most { return #""-"? ("0" | [1-9] [0-9]{0,14})"# }
        var ways: [String] = []
        if range.upperBound >= 0 {
            ways.append(digits(max(0, range.lowerBound), range.upperBound))
        }
        if range.lowerBound < 0 {
            let least = max(1, -range.upperBound)
            ways.append(#""-" (\#(digits(least, -range.lowerBound)))"#)
        }
        return ways.joined(separator: " | ")
    }

    static func number(_ range: SchemaNumberRange) -> String {
        if range == .unlimited {
            return #""-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?"#
        }
        typealias Bound = SchemaNumberRange.Bound
        let zero = Bound(value: 0, isIncluded: true)
        let far = Bound(value: SchemaReader.integerMax, isIncluded: true)
        let least = range.least ?? Bound(value: -far.value, isIncluded: true)
        let most = range.most ?? far
        var ways: [String] = []
        if most.value > 0 || (most.value == 0 && most.isIncluded && range.contains(0)) {
            ways += magnitudes(least.value >= 0 ? least : zero, most)
        }
        if least.value < 0 {
            var nearest = Bound(value: -most.value, isIncluded: most.isIncluded)
            // "-0" is zero.
            if most.value > 0 { nearest = zero }
            let negative = magnitudes(
                nearest, Bound(value: -least.value, isIncluded: least.isIncluded))
            if !negative.isEmpty { ways.append(#""-" (\#(negative.joined(separator: " | ")))"#) }
        }
        return ways.joined(separator: " | ")
    }

    /// Ways to write numbers between two bounds that are not negative.
    private static func magnitudes(
        _ least: SchemaNumberRange.Bound, _ most: SchemaNumberRange.Bound
    ) -> [String] {
        var ways: [String] = []
        var from = least.value
        if !least.isIncluded, from < most.value {
            // Its fraction must not be zero.
            ways.append(#""\#(from)." [0-9]{0,14} [1-9]"#)
            from += 1
        }
        if from < most.value { ways.append("(\(digits(from, most.value - 1))) \(fraction)") }
        if most.isIncluded, from <= most.value || least.value == most.value {
            ways.append(#""\#(most.value)""#)
        }
        return ways
    }

    /// All integers of a range that is not negative, in blocks that differ in their last digits.
    static func digits(_ least: Int64, _ most: Int64) -> String {
        var ways: [String] = []
        var from = least
        while from <= most {
            // The largest block that begins here: 10^zeros numbers, several times.
            var block: Int64 = 1
            var zeros = 0
            while from > 0, from % (block * 10) == 0, from + block * 10 - 1 <= most {
                block *= 10
                zeros += 1
            }
            let prefix = from / block / 10
            let first = from / block % 10
            var last = first
            while last < 9, (prefix * 10 + last + 1) * block + block - 1 <= most { last += 1 }
            var way = prefix > 0 ? #""\#(prefix)" "# : ""
            way += first == last ? #""\#(first)""# : "[\(first)-\(last)]"
            if zeros > 0 { way += " [0-9]{\(zeros)}" }
            ways.append(way)
            from = (prefix * 10 + last + 1) * block
        }
        return ways.joined(separator: " | ")
    }
}
