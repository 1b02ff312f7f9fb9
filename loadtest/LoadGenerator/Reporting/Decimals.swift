import Foundation

/// Numbers as reports write them, whatever the machine's locale.
enum Decimals {
    static func text(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else { return "-" }
        return value.formatted(
            .number.precision(.fractionLength(digits)).grouping(.never)
                .locale(Locale(identifier: "en_US_POSIX")))
    }

    /// As many digits as three significant ones need, at most two decimals.
    static func short(_ value: Double) -> String {
        let size = abs(value)
        return text(value, size < 10 ? 2 : size < 100 ? 1 : 0)
    }
}
