/// A finished distribution: its values, in whole microseconds and ascending, with their counts.
/// What `LatencyHistogram` tells apart, this does from a millisecond on.
package struct SparseHistogram: Sendable, Equatable {
    package struct Bin: Sendable, Equatable {
        package var microseconds: UInt64
        package var count: UInt64
    }

    package private(set) var bins: [Bin] = []
    package private(set) var count: UInt64 = 0

    package init() {}

    /// `bins` in ascending order; equal neighbours become one.
    package init(ascending bins: some Sequence<Bin>) {
        for bin in bins where bin.count > 0 { append(bin) }
    }

    package var isEmpty: Bool { count == 0 }

    private mutating func append(_ bin: Bin) {
        count += bin.count
        if bins.last?.microseconds == bin.microseconds {
            bins[bins.count - 1].count += bin.count
        } else {
            bins.append(bin)
        }
    }

    package func merged(with other: SparseHistogram) -> SparseHistogram {
        if isEmpty { return other }
        if other.isEmpty { return self }
        var merged = SparseHistogram()
        merged.bins.reserveCapacity(bins.count + other.bins.count)
        var left = bins[...]
        var right = other.bins[...]
        while let a = left.first, let b = right.first {
            merged.append(
                a.microseconds <= b.microseconds ? left.removeFirst() : right.removeFirst())
        }
        for bin in left { merged.append(bin) }
        for bin in right { merged.append(bin) }
        return merged
    }

    /// Milliseconds; nil without samples. `fraction`: 0...1.
    package func quantile(_ fraction: Double) -> Double? {
        guard count > 0 else { return nil }
        let rank = max(1, (fraction * Double(count)).rounded(.up))
        var passed: UInt64 = 0
        for bin in bins {
            passed += bin.count
            if Double(passed) >= rank { return Double(bin.microseconds) / 1e3 }
        }
        return bins.last.map { Double($0.microseconds) / 1e3 }
    }
}

/// As text, `microseconds:count` with spaces between: short, and readable in JSON.
extension SparseHistogram: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        for word in try container.decode(String.self).split(separator: " ") {
            let numbers = word.split(separator: ":").compactMap { UInt64($0) }
            guard numbers.count == 2, numbers[0] >= bins.last?.microseconds ?? 0,
                numbers[1] > 0, numbers[1] < 1 << 48
            else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "not a histogram: \(word)")
            }
            append(Bin(microseconds: numbers[0], count: numbers[1]))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(
            bins.map { "\($0.microseconds):\($0.count)" }.joined(separator: " "))
    }
}
