import Foundation
import InferenceTypes

/// How a quantity of requests (tokens, turns, seconds) is spread.
package enum Distribution: Sendable, Equatable {
    case constant(Double)
    case uniform(from: Double, to: Double)
    /// Half of the values are below `median`; `sigma` is the deviation of their logarithms. Larger
    /// values than `max` become it.
    case lognormal(median: Double, sigma: Double, max: Double)
    /// Each of these equally often.
    case empirical([Double])

    /// One value. Draws equally many numbers each time.
    func value(_ generator: inout SeededGenerator) -> Double {
        switch self {
        case .constant(let value): value
        case .uniform(let from, let to): from + (to - from) * generator.unit()
        case .lognormal(let median, let sigma, let max):
            min(max, median * exp(sigma * generator.normal()))
        case .empirical(let values): values[generator.index(below: values.count)]
        }
    }

    /// Counts that are drawn are not larger.
    private static let countMax = 1_000_000_000

    /// One number of things, at least 1. Of uniform ones each is as likely as the others, the ends
    /// included, which rounding would give half.
    func count(_ generator: inout SeededGenerator) -> Int {
        guard case .uniform(let from, let to) = self else {
            return Self.count(value(&generator))
        }
        let first = Self.count(from)
        return first + generator.index(below: max(first, Self.count(to)) - first + 1)
    }

    private static func count(_ value: Double) -> Int {
        max(1, Int(min(value, Double(countMax)).rounded()))
    }
}
