import Foundation
import InferenceTypes

/// When the requests of an open loop begin: nanoseconds from the start of the load, in ascending
/// order, a pure function of its settings. Arrivals never wait for answers.
package struct ArrivalSchedule: Sendable {
    package enum Shape: Sendable, Equatable {
        /// Exponential gaps.
        case poisson
        /// Equal gaps.
        case constant
        /// Gamma-distributed gaps whose standard deviation is `variation` times their mean: above
        /// 1 in bursts, below 1 more even than by chance.
        case bursty(variation: Double)
        /// By chance, as `poisson`, at a rate that moves evenly to another one within so many
        /// seconds and stays there.
        case ramp(to: Double, seconds: Double)
    }

    private enum Source {
        case shape(Shape, rate: Double)
        /// Ascending.
        case recorded([UInt64])
    }

    /// Later arrivals, which no run reaches, count as of then: 31 years, in nanoseconds.
    package static let instantMax: UInt64 = 1_000_000_000_000_000_000

    private let source: Source
    private var generator: SeededGenerator
    private var arrivals: UInt64 = 0
    /// Sum of the gaps so far, kept as floating point so that rounding does not accumulate. Of a
    /// ramp: of exponential gaps with mean 1.
    private var elapsed = 0.0

    /// `rate`: requests per second, above 0; a ramp's at its start may be 0.
    package init(shape: Shape, rate: Double, seed: UInt64) {
        if case .ramp(let end, let seconds) = shape {
            precondition(rate >= 0 && end > 0 && seconds > 0, "a ramp needs a rate and a time")
        } else {
            precondition(rate > 0, "an arrival rate must be positive: \(rate)")
        }
        source = .shape(shape, rate: rate)
        generator = SeededGenerator(seed: seed)
    }

    /// The arrivals of a trace, in nanoseconds and ascending.
    package init(recorded instants: [UInt64]) {
        source = .recorded(instants)
        generator = SeededGenerator(seed: 0)
    }

    /// The same, from its beginning, drawn from another seed.
    package func seeded(_ seed: UInt64) -> ArrivalSchedule {
        switch source {
        case .shape(let shape, let rate): ArrivalSchedule(shape: shape, rate: rate, seed: seed)
        case .recorded(let instants): ArrivalSchedule(recorded: instants)
        }
    }

    /// nil for a trace.
    package var shape: Shape? {
        if case .shape(let shape, _) = source { shape } else { nil }
    }

    /// The next arrival; nil behind a trace's last. A constant schedule begins at 0.
    package mutating func next() -> UInt64? {
        defer { arrivals += 1 }
        switch source {
        case .recorded(let instants):
            return arrivals < instants.count ? instants[Int(arrivals)] : nil
        case .shape(.constant, let rate):
            elapsed = Double(arrivals) * 1e9 / rate
        case .shape(.poisson, let rate):
            elapsed += generator.exponential() * 1e9 / rate
        case .shape(.bursty(let variation), let rate):
            let shape = 1 / (variation * variation)
            elapsed += generator.gamma(shape: shape) / shape * 1e9 / rate
        case .shape(.ramp(let end, let seconds), let rate):
            elapsed += generator.exponential()
            return Self.nanoseconds(Self.instant(expected: elapsed, rate, end, seconds) * 1e9)
        }
        return Self.nanoseconds(elapsed)
    }

    private static func nanoseconds(_ elapsed: Double) -> UInt64 {
        elapsed < Double(instantMax) ? UInt64(elapsed) : instantMax
    }

    /// When so many arrivals are expected, seconds: the inverse of the integral of the rate.
    private static func instant(
        expected: Double, _ start: Double, _ end: Double, _ seconds: Double
    ) -> Double {
        guard expected > 0 else { return 0 }
        let whole = (start + end) / 2 * seconds
        if expected >= whole { return seconds + (expected - whole) / end }
        let slope = (end - start) / seconds
        guard abs(slope) > 1e-12 else { return expected / start }
        // The form that does not lose digits by subtraction.
        return 2 * expected / (start + (start * start + 2 * slope * expected).squareRoot())
    }

    /// For reports.
    package var words: String {
        switch source {
        case .shape(.poisson, let rate): "poisson \(rate)/s"
        case .shape(.constant, let rate): "constant \(rate)/s"
        case .shape(.bursty(let variation), let rate): "bursty \(rate)/s, variation \(variation)"
        case .shape(.ramp(let end, let seconds), let rate):
            "ramp \(rate)/s to \(end)/s in \(seconds) s"
        case .recorded(let instants): "trace of \(instants.count) requests"
        }
    }

    /// Requests per second in the long run; nil for a trace.
    package var rate: Double? {
        switch source {
        case .shape(.ramp(let end, _), _): end
        case .shape(_, let rate): rate
        case .recorded: nil
        }
    }
}
