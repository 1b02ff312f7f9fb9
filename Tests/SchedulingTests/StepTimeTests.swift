import InferenceTypes
import Testing

@testable import Scheduling

@Suite struct StepTimeTests {
    /// The hidden machine is 40 times faster, with other proportions and 5 % noise.
    @Test func learnsAMachineFromItsSteps() {
        let hidden = AffineStepProfile(
            base: 900_000, perDecode: 30_000, perPrefillToken: 40_000, perCacheToken: 60,
            perPrefillPair: 4)
        var estimator = StepTimeEstimator(profile: .llamaCPU, forgetting: 0.98)
        var random = SeededGenerator(seed: 5)
        func shape() -> StepShape {
            var shape = StepShape()
            for _ in 0..<Int.random(in: 1...16, using: &random) {
                shape.addDecode(past: Int.random(in: 10...2000, using: &random))
            }
            if Bool.random(using: &random) {
                shape.addPrefill(
                    count: Int.random(in: 1...256, using: &random),
                    past: Int.random(in: 0...2000, using: &random))
            }
            return shape
        }
        for _ in 0..<300 {
            let shape = shape()
            let noise = 0.95 + 0.1 * Double.random(in: 0..<1, using: &random)
            estimator.observe(shape, nanoseconds: Int64(hidden.nanoseconds(shape) * noise))
        }
        var worst = 0.0
        for _ in 0..<100 {
            let shape = shape()
            let ratio = estimator.profile.nanoseconds(shape) / hidden.nanoseconds(shape)
            worst = max(worst, abs(ratio - 1))
        }
        #expect(worst < 0.08, "worst relative error \(worst)")
        // One hiccup of the machine changes little.
        let probe = StepShape(decodes: 8, prefillTokens: 0, cacheTokens: 4000, prefillPairs: 0)
        let before = estimator.profile.nanoseconds(probe)
        estimator.observe(probe, nanoseconds: Int64(20 * hidden.nanoseconds(probe)))
        #expect(abs(estimator.profile.nanoseconds(probe) / before - 1) < 0.1)
    }

    /// A machine that does nothing but decode at one size for long still reacts to what comes then.
    @Test func monotonousStepsDoNoHarm() {
        var estimator = StepTimeEstimator(profile: .llamaCPU, forgetting: 0.98)
        let calm = StepShape(decodes: 4, prefillTokens: 0, cacheTokens: 400, prefillPairs: 0)
        for _ in 0..<20_000 { estimator.observe(calm, nanoseconds: 25_000_000) }
        #expect(abs(estimator.profile.nanoseconds(calm) / 25e6 - 1) < 0.01)
        let prefill = estimator.profile.perPrefillToken
        #expect(prefill == AffineStepProfile.llamaCPU.perPrefillToken)
        for _ in 0..<500 { estimator.observe(calm, nanoseconds: 50_000_000) }
        #expect(abs(estimator.profile.nanoseconds(calm) / 50e6 - 1) < 0.01)
    }

    @Test func theLargestChunkIsTheLargest() {
        let profile = AffineStepProfile.llamaCPU
        for past in [0, 1, 100, 5000] {
            for time in [0.0, 1e6, 2e6, 3e7, 1e9] {
                let count = profile.largestChunk(past: past, nanoseconds: time, limit: 4096)
                #expect(count == 0 || profile.chunkNanoseconds(count: count, past: past) <= time)
                if count < 4096 {
                    #expect(profile.chunkNanoseconds(count: count + 1, past: past) > time * 0.999)
                }
            }
        }
    }

    /// Llama-3.1-70B FP8, vLLM, H100: TPOT at fixed concurrency, from public measurements
    /// (calibration data, closed_loop_points.csv): (TP, input, output, concurrency, ms).
    @Test(arguments: [
        (2, 1024, 1024, 4, 17.41), (2, 1024, 1024, 8, 18.22), (2, 1024, 1024, 16, 19.74),
        (2, 1024, 1024, 32, 23.54), (2, 1024, 1024, 64, 28.77), (2, 8192, 1024, 8, 25.01),
        (8, 1024, 1024, 4, 9.11), (8, 1024, 1024, 16, 11.39), (8, 1024, 1024, 64, 15.45),
    ])
    func theClosedFormMeetsMeasuredTimes(
        tp: Int, input: Int, output: Int, concurrency: Int, milliseconds: Double
    ) {
        let model = GPUStepModel(
            model: .llama70B, precision: .float8, tensorParallel: tp, overhead: .vllm)
        let length = input + output / 2
        let decoding = StepShape(
            decodes: concurrency, prefillTokens: 0, cacheTokens: concurrency * length,
            prefillPairs: 0)
        var mixed = decoding
        mixed.addPrefill(count: input, past: 0)
        let step = model.nanoseconds(decoding)
        let prefill = model.nanoseconds(mixed) - step
        let tpot = (step + Double(concurrency - 1) * prefill / Double(output)) / 1e6
        print("TP\(tp) \(input)/\(output) x\(concurrency): \(tpot) ms, measured \(milliseconds)")
        #expect(abs(tpot / milliseconds - 1) < 0.15, "\(tpot) ms")
    }

    @Test func prefillOfALargeModelRunsAtAboutTheMeasuredRate() {
        let model = GPUStepModel(
            model: .llama70B, precision: .float8, tensorParallel: 2, overhead: .vllm)
        var shape = StepShape()
        shape.addPrefill(count: 8192, past: 0)
        let rate = 8192 / (model.nanoseconds(shape) / 1e9)
        #expect((11_000...16_000).contains(rate), "\(rate) tokens/s")
    }
}
