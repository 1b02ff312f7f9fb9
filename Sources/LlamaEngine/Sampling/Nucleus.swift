/// Top-p without sorting the vocabulary.
///
/// A bisection over weights, each step one vector pass, narrows the weight at which the nucleus
/// ends to a bracket of few tokens; only these are sorted. Above the bracket nothing is gathered:
/// the draw walks block sums. At 49,152 tokens, flat distribution: 320 us, where buckets filled
/// token by token took 540 (CPU time on a busy machine).
extension SamplerScratch {
    /// Halvings of a range of about 20 units of scaled logit: the bracket is 0.02 wide.
    private static let halvings = 10

    /// Draws from the shortest run of most probable tokens whose weight is at least `fraction` of
    /// all, less those under `minWeight` (relative to the best). Needs `scan`.
    mutating func drawNucleus(
        _ row: LogitRow, largest: Float, inverse: Float, fraction: Float, minWeight: Float,
        unit: Double
    ) -> Int32? {
        let total = fillWeights(row, largest: largest, inverse: inverse)
        let mass = Double(fraction) * total
        // All tokens `deep` below the best weigh together at most half of what may be cut, so that
        // the end lies above them.
        let spare = max(1 - Double(fraction), 1e-7)
        var deep = Float(naturalLogarithm(2 * Double(row.count) / spare)) + 1
        var high: Float = -0.001  // nothing weighs more than e^0.001
        for _ in 0..<Self.halvings {
            let middle = (deep + high) / 2
            // Blocks surely below are skipped; a hundredth covers the rounding of e^x.
            let leastLogit = largest - (middle + 0.01) / inverse
            let sum = weightSum(from: exponential(-middle), leastLogit: leastLogit)
            if sum >= mass { deep = middle } else { high = middle }
        }
        let above = exponential(-high)
        if minWeight >= above {
            let sum = sumBlocks(from: minWeight)
            return walk(unit * sum, from: minWeight)
        }
        let sum = sumBlocks(from: above)
        gatherBracket(row, max(exponential(-deep), minWeight)..<above)
        candidates.sort()
        _ = candidates.weigh(largest: largest, inverseTemperature: inverse)
        let tail = candidates.cut(mass: mass - sum)
        let target = unit * (sum + tail)
        if target < sum || candidates.count == 0 { return walk(target, from: above) }
        return candidates.pick(target - sum)
    }

    /// Fills `weights` with e^((logit - largest) * inverse), 0 past the row's end. Returns the sum.
    private mutating func fillWeights(_ row: LogitRow, largest: Float, inverse: Float) -> Double {
        let padded = row.blockCount * LogitRow.blockSize
        if weights.count != padded { weights = Array(repeating: 0, count: padded) }
        let negligible = largest - 87 / inverse
        var total = 0.0
        let maxima = blockMaxima
        withWeights { weights in
            for index in 0..<row.blockCount {
                let start = index * LogitRow.blockSize
                var sum = SIMD8<Float>(repeating: 0)
                let isNegligible = maxima[index] <= negligible
                for i in stride(from: start, to: start + LogitRow.blockSize, by: 8) {
                    var eight = SIMD8<Float>(repeating: 0)
                    if !isNegligible && i < row.count {
                        eight = vectorExp((row.upToEight(i) - largest) * inverse)
                    }
                    weights.set(eight, at: i)
                    sum += eight
                }
                total += Double(horizontalSum(sum))
            }
        }
        return total
    }

    private mutating func withWeights<R>(_ body: (LogitRow) -> R) -> R {
        unsafe weights.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { fatalError("an empty vocabulary") }
            return unsafe body(LogitRow(base: base, count: buffer.count))
        }
    }

    /// The sum of all weights of at least `least`, whose logits are at least `leastLogit`.
    private mutating func weightSum(from least: Float, leastLogit: Float) -> Double {
        let maxima = blockMaxima
        return withWeights { weights in
            var total = 0.0
            for index in 0..<weights.blockCount where maxima[index] >= leastLogit {
                total += Double(Self.blockSum(weights, index, least))
            }
            return total
        }
    }

    @inline(__always)
    private static func blockSum(_ weights: LogitRow, _ index: Int, _ least: Float) -> Float {
        let start = index * LogitRow.blockSize
        var first = SIMD8<Float>(repeating: 0)
        var second = first
        for i in stride(from: start, to: start + LogitRow.blockSize, by: 16) {
            let a = weights.eight(i)
            let b = weights.eight(i + 8)
            first += a.replacing(with: 0, where: a .< least)
            second += b.replacing(with: 0, where: b .< least)
        }
        return horizontalSum(first + second)
    }

    /// Like `weightSum`, and keeps each block's share in `blockSums`.
    private mutating func sumBlocks(from least: Float) -> Double {
        var sums = blockSums
        blockSums = []
        sums.removeAll(keepingCapacity: true)
        withWeights { weights in
            for index in 0..<weights.blockCount {
                sums.append(Double(Self.blockSum(weights, index, least)))
            }
        }
        blockSums = sums
        return blockSums.reduce(0, +)
    }

    /// The token at `target` of the cumulated weights of at least `least`. Needs `sumBlocks`.
    private mutating func walk(_ target: Double, from least: Float) -> Int32? {
        let sums = blockSums
        return withWeights { weights in
            var before = 0.0
            var last: Int32?
            let lastBlock = sums.lastIndex { $0 > 0 }
            for (index, sum) in sums.enumerated() where sum > 0 {
                if target >= before + sum && index != lastBlock {
                    before += sum
                    continue
                }
                for i in weights.block(index) where weights[i] >= least {
                    before += Double(weights[i])
                    last = Int32(i)
                    if target < before { return last }
                }
            }
            return last
        }
    }

    /// The tokens whose weight lies in `bracket`, by index, into `candidates`.
    private mutating func gatherBracket(_ row: LogitRow, _ bracket: Range<Float>) {
        var found = candidates
        candidates = CandidateList()
        found.removeAll()
        withWeights { weights in
            for i in 0..<row.count where weights[i] >= bracket.lowerBound {
                if weights[i] < bracket.upperBound {
                    found.append(token: Int32(i), logit: row[i])
                }
            }
        }
        candidates = found
    }
}
