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

    /// SmolLM2-135M Q4_0 on two CPU threads, KV cells of its own for each sequence: 16 decodes of
    /// 210 tokens 37 ms, one of 150 tokens 6 ms; 64 prefill tokens 70 ms at the beginning of a
    /// prompt, 32 after 1,500 tokens 207 ms.
    package static let llamaCPU = AffineStepProfile(
        base: 3_700_000, perDecode: 1_300_000, perPrefillToken: 1_050_000, perCacheToken: 3_300,
        perPrefillPair: 3_300)

    package func nanoseconds(_ shape: StepShape) -> Double {
        base + perDecode * Double(shape.decodes)
            + perPrefillToken * Double(shape.prefillTokens)
            + perCacheToken * Double(shape.cacheTokens)
            + perPrefillPair * Double(shape.prefillPairs)
    }
}
