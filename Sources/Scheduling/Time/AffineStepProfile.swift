/// Step time as a linear function of the step's shape: how llama.cpp behaves, and what the
/// scheduler calibrates while it runs. Nanoseconds.
package struct AffineStepProfile: Hashable, Sendable {
    /// Of any step.
    package var base: Double
    /// Of each decoding sequence.
    package var perDecode: Double
    /// Of each prefill token.
    package var perPrefillToken: Double
    /// Of each KV token read.
    package var perCacheToken: Double
    /// Of each query-key pair of prefill.
    package var perPrefillPair: Double

    package init(
        base: Double, perDecode: Double, perPrefillToken: Double, perCacheToken: Double,
        perPrefillPair: Double
    ) {
        self.base = base
        self.perDecode = perDecode
        self.perPrefillToken = perPrefillToken
        self.perCacheToken = perCacheToken
        self.perPrefillPair = perPrefillPair
    }

    /// SmolLM2-135M Q4_0 on two CPU threads: decode 98 tokens/s alone and 251 at 16,
    /// prefill 630 tokens/s.
    package static let llamaCPU = AffineStepProfile(
        base: 6_500_000, perDecode: 3_600_000, perPrefillToken: 1_500_000, perCacheToken: 400,
        perPrefillPair: 100)

    package func nanoseconds(_ shape: StepShape) -> Double {
        base + perDecode * Double(shape.decodes)
            + perPrefillToken * Double(shape.prefillTokens)
            + perCacheToken * Double(shape.cacheTokens)
            + perPrefillPair * Double(shape.prefillPairs)
    }
}
