/// A counter-based generator: the n-th number of a seed is a pure function of (seed, n).
///
/// SplitMix64's finaliser over a Weyl sequence (Steele, Lea, Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014). Sampling draws number `position` of the request's seed, so a
/// stream resumed on another worker draws what it would have drawn.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    package let seed: UInt64
    package var counter: UInt64

    package init(seed: UInt64, counter: UInt64 = 0) {
        self.seed = seed
        self.counter = counter
    }

    package mutating func next() -> UInt64 {
        counter &+= 1
        return Self.value(seed: seed, counter: counter)
    }

    /// Uniform 64 bits for (seed, counter).
    package static func value(seed: UInt64, counter: UInt64) -> UInt64 {
        mix(mix(seed) &+ counter &* 0x9E37_79B9_7F4A_7C15)
    }

    /// Uniform in 0..<1 with 53 bits, for (seed, counter).
    package static func unit(seed: UInt64, counter: UInt64) -> Double {
        Double(value(seed: seed, counter: counter) >> 11) * 0x1p-53
    }

    /// A bijection on 64 bits in which each input bit changes about half of the output bits.
    package static func mix(_ input: UInt64) -> UInt64 {
        var z = input &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
