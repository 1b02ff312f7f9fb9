/// Learns how long steps take from the steps themselves: recursive least squares over the terms of
/// `AffineStepProfile`, with a forgetting factor, so that it follows a busy or throttled machine.
///
/// Parameters are factors on the assumed profile, and each observation is divided by its measured
/// time: what is minimised is the relative error, so the same settings serve a CPU and a GPU whose
/// steps are a thousand times shorter, and a step that a hiccup made long weighs little.
///
/// Steps without prefill teach what decodes cost, steps with prefill what that costs beside them.
///
/// Only what an observation speaks of is forgotten (directional forgetting: Kulhavy, "Restricted
/// exponential forgetting in real-time identification", Automatica 1987). A worker that does
/// nothing but decode for an hour neither forgets what prefill costs nor stops learning.
struct StepTimeEstimator: Sendable {
    /// Steps observed.
    private(set) var observations = 0
    /// Steps with prefill since the last one without: nothing was learnt of decodes meanwhile.
    private(set) var mixedSteps = 0
    private let scale: AffineStepProfile
    private var factors = Terms(1, 1, 1, 1, 1, 0, 0, 0)
    /// Rows of the factors' covariance, in units of one observation's variance.
    private var covariance: [Terms]
    private let forgetting: Double

    /// Eight lanes, of which five are used: the compiler makes a few vector instructions of a row.
    private typealias Terms = SIMD8<Double>
    private static let count = 5
    /// Base, decodes and KV tokens.
    private static let decodeTerms: SIMDMask<SIMD8<Int64>> = {
        var mask = SIMDMask<SIMD8<Int64>>(repeating: false)
        for term in [0, 1, 3] { mask[term] = true }
        return mask
    }()
    /// Standard deviation of one observation's relative error, and how far the assumed profile may
    /// be off (standard deviation of a factor).
    private static let noise = 0.1
    private static let priorDeviation = 3.0

    init(profile: AffineStepProfile, forgetting: Double) {
        scale = profile
        self.forgetting = forgetting
        covariance = (0..<Self.count).map { row in
            var terms = Terms(repeating: 0)
            terms[row] = Self.priorDeviation * Self.priorDeviation / (Self.noise * Self.noise)
            return terms
        }
    }

    /// The present estimate. No term is negative.
    var profile: AffineStepProfile {
        AffineStepProfile(
            base: scale.base * max(0, factors[0]),
            perDecode: scale.perDecode * max(0, factors[1]),
            perPrefillToken: scale.perPrefillToken * max(0, factors[2]),
            perCacheToken: scale.perCacheToken * max(0, factors[3]),
            perPrefillPair: scale.perPrefillPair * max(0, factors[4]))
    }

    /// Learns from one step.
    mutating func observe(_ shape: StepShape, nanoseconds: Int64) {
        guard nanoseconds > 0, shape.tokens > 0 else { return }
        observations += 1
        mixedSteps = shape.prefillTokens > 0 ? mixedSteps + 1 : 0
        let all =
            Terms(
                scale.base, scale.perDecode * Double(shape.decodes),
                scale.perPrefillToken * Double(shape.prefillTokens),
                scale.perCacheToken * Double(shape.cacheTokens),
                scale.perPrefillPair * Double(shape.prefillPairs), 0, 0, 0) / Double(nanoseconds)
        // What decodes cost is learnt from steps without prefill alone. In mixed steps the two
        // cannot be told apart, and the scheduler, which grants prefill time in proportion to
        // decode time, would follow a wrong share upwards.
        let terms = shape.prefillTokens > 0 ? all.replacing(with: 0, where: Self.decodeTerms) : all
        let known = (factors * (all - terms)).sum()
        var direction = Terms(repeating: 0)
        for row in 0..<Self.count { direction[row] = (covariance[row] * terms).sum() }
        let variance = (direction * terms).sum()
        guard variance > 0 else { return }
        factors += direction * ((1 - known - (factors * terms).sum()) / (1 + variance))
        // Less variance along the direction for what was learnt, more for what is forgotten.
        let shrinking =
            (forgetting * variance - (1 - forgetting)) / (forgetting * variance * (1 + variance))
        for row in 0..<Self.count {
            covariance[row] -= direction * (direction[row] * shrinking)
        }
    }
}

extension AffineStepProfile {
    /// Most tokens of one chunk after `past` tokens that take at most `nanoseconds` beyond the rest
    /// of the step; at most `limit`.
    func largestChunk(past: Int, nanoseconds: Double, limit: Int) -> Int {
        // time(c) = perCache * past + c * linear + c^2 * quadratic
        let available = nanoseconds - perCacheToken * Double(past)
        guard available > 0 else { return 0 }
        let linear = perPrefillToken + perCacheToken + perPrefillPair * Double(past)
        let quadratic = perPrefillPair / 2
        let root = (linear * linear + 4 * quadratic * available).squareRoot()
        guard linear + root > 0 else { return limit }
        let chunk = 2 * available / (linear + root)
        return chunk >= Double(limit) ? limit : Int(chunk)
    }
}

extension AffineStepProfile {
    /// What a chunk adds to a step.
    func chunkNanoseconds(count: Int, past: Int) -> Double {
        perPrefillToken * Double(count) + perCacheToken * Double(past + count)
            + perPrefillPair * Double(StepShape.pairs(count: count, past: past))
    }

    /// A step of so many decodes, of sequences of that many tokens each.
    func decodeNanoseconds(sequences: Int, length: Double) -> Double {
        base + Double(sequences) * (perDecode + perCacheToken * length)
    }

    /// Most prefill tokens in any number of chunks that take at most `nanoseconds`, attention
    /// apart: an upper bound of what `largestChunk` grants in sum.
    func tokensMax(nanoseconds: Double, limit: Int) -> Int {
        guard nanoseconds > 0 else { return 0 }
        let each = perPrefillToken + perCacheToken
        return nanoseconds >= each * Double(limit) ? limit : Int(nanoseconds / each)
    }
}
