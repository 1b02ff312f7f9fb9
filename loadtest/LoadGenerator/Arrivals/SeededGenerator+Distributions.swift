import Foundation
import InferenceTypes

extension SeededGenerator {
    /// Uniform in 0..<1.
    mutating func unit() -> Double {
        counter &+= 1
        return Self.unit(seed: seed, counter: counter)
    }

    /// Exponential with mean 1.
    mutating func exponential() -> Double {
        -log1p(-unit())
    }

    /// Normal with mean 0 and deviation 1 (Box and Muller, 1958; the second value is not kept, so
    /// that each draw takes two numbers).
    mutating func normal() -> Double {
        let radius = (2 * exponential()).squareRoot()
        return radius * cos(2 * .pi * unit())
    }

    /// Gamma with that shape and scale 1 (Marsaglia and Tsang, "A simple method for generating
    /// gamma variables", 2000; below shape 1 by their note on boosting).
    mutating func gamma(shape: Double) -> Double {
        precondition(shape > 0, "a gamma distribution's shape is positive: \(shape)")
        guard shape >= 1 else {
            // 1 - unit is above 0.
            return gamma(shape: shape + 1) * pow(1 - unit(), 1 / shape)
        }
        let d = shape - 1 / 3.0
        let c = 1 / (9 * d).squareRoot()
        while true {
            let x = normal()
            let cube = 1 + c * x
            guard cube > 0 else { continue }
            let v = cube * cube * cube
            if log(1 - unit()) < x * x / 2 + d - d * v + d * log(v) { return d * v }
        }
    }

    /// True with that probability.
    mutating func chance(_ probability: Double) -> Bool {
        unit() < probability
    }

    /// Uniform in 0..<count, but for 2^-64 of `count`.
    mutating func index(below count: Int) -> Int {
        Int(next() % UInt64(count))
    }
}
