import Foundation
import InferenceTypes

/// When the requests of an open loop begin: nanoseconds from the start of the measurement, in
/// ascending order, a pure function of its settings. Arrivals never wait for answers.
package struct ArrivalSchedule: Sendable {
    package enum Shape: String, Sendable, CaseIterable {
        /// Exponential gaps.
        case poisson
        /// Equal gaps.
        case constant
    }

    private let shape: Shape
    private let meanGapNanoseconds: Double
    private let seed: UInt64
    private var arrivals: UInt64 = 0
    /// Sum of the gaps so far, kept as floating point so that rounding does not accumulate.
    private var elapsed = 0.0

    /// `rate`: requests per second, above 0.
    package init(shape: Shape, rate: Double, seed: UInt64) {
        precondition(rate > 0, "an arrival rate must be positive: \(rate)")
        self.shape = shape
        self.meanGapNanoseconds = 1e9 / rate
        self.seed = seed
    }

    /// For reports.
    var words: String { "\(shape.rawValue) \(1e9 / meanGapNanoseconds)/s" }

    /// The next arrival. A constant schedule begins at 0.
    package mutating func next() -> UInt64 {
        arrivals += 1
        switch shape {
        case .constant:
            elapsed = Double(arrivals - 1) * meanGapNanoseconds
        case .poisson:
            let unit = SeededGenerator.unit(seed: seed, counter: arrivals)
            elapsed -= log1p(-unit) * meanGapNanoseconds
        }
        return UInt64(elapsed)
    }
}
