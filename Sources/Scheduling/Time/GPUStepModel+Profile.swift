extension GPUStepModel {
    /// The line nearest to this model where workers run: what a scheduler is to assume before it
    /// has measured.
    package var affineProfile: AffineStepProfile {
        func time(_ decodes: Int, _ prefill: Int, _ cache: Int, _ pairs: Int) -> Double {
            nanoseconds(
                StepShape(
                    decodes: decodes, prefillTokens: prefill, cacheTokens: cache,
                    prefillPairs: pairs))
        }
        let one = time(1, 0, 0, 0)
        let perDecode = (time(65, 0, 0, 0) - one) / 64
        return AffineStepProfile(
            base: one - perDecode, perDecode: perDecode,
            perPrefillToken: (time(1, 2_048, 0, 0) - time(1, 512, 0, 0)) / 1_536,
            perCacheToken: (time(1, 0, 65_536, 0) - one) / 65_536,
            perPrefillPair: (time(1, 512, 0, 1 << 20) - time(1, 512, 0, 0))
                / Double(1 << 20))
    }

    /// Llama 8B in bfloat16 on one H100, and Llama 70B in FP8 on two, served by vLLM.
    package static let llama8BOnH100 = GPUStepModel(
        model: .llama8B, precision: .bfloat16, tensorParallel: 1, overhead: .vllm)
    package static let llama70BOnH100 = GPUStepModel(
        model: .llama70B, precision: .float8, tensorParallel: 2, overhead: .vllm)
}
