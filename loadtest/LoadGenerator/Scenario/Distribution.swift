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

    mutating func scale(by factor: Double) {
        switch self {
        case .constant(let value): self = .constant(value * factor)
        case .uniform(let from, let to): self = .uniform(from: from * factor, to: to * factor)
        case .lognormal(let median, let sigma, let max):
            self = .lognormal(median: median * factor, sigma: sigma, max: max * factor)
        case .empirical(let values): self = .empirical(values.map { $0 * factor })
        }
    }

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

    /// One number of things, at least 1.
    func count(_ generator: inout SeededGenerator) -> Int {
        max(1, Int(min(value(&generator), 1e9).rounded()))
    }

    /// No value is larger.
    package var largest: Double {
        switch self {
        case .constant(let value): value
        case .uniform(_, let to): to
        case .lognormal(_, _, let max): max
        case .empirical(let values): values.max() ?? 0
        }
    }
}
