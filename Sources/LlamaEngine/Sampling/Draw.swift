internal import InferenceTypes

/// Choosing a token from a row of logits whose penalties and biases are applied already.
///
/// Order: temperature, then top-k, then top-p over what top-k kept, then min-p. Ties rank by
/// lower token. Every function is a pure function of the row and its arguments: which thread runs
/// it cannot matter.
extension SamplerScratch {
    /// The most probable token, nil when every token is masked.
    mutating func greedy(_ row: LogitRow) -> Int32? {
        let largest = scan(row)
        guard largest > -.infinity else { return nil }
        return firstIndex(of: largest, in: row).map { Int32($0) }
    }

    /// Draws by `unit`, uniform in 0..<1. Nil when every token is masked.
    mutating func draw(
        _ row: LogitRow, parameters: SamplingParameters, unit: Double
    ) -> Int32? {
        if parameters.isGreedy || parameters.topK == 1 { return greedy(row) }
        let largest = scan(row)
        guard largest > -.infinity else { return nil }
        guard largest < .infinity else {
            return firstIndex(of: largest, in: row).map { Int32($0) }
        }
        // Below this temperature the division overflows, and the draw is greedy anyway.
        let inverse = 1 / max(parameters.temperature, 1e-4)
        let minLogit = largest + minPOffset(parameters) / inverse
        let topK = parameters.topK > 0 && parameters.topK < row.count
        let topP = parameters.topP < 1
        if topK {
            gatherLargest(parameters.topK, of: row)
            var sum = candidates.weigh(largest: largest, inverseTemperature: inverse)
            if topP { sum = candidates.cut(mass: Double(parameters.topP) * sum) }
            if minLogit > -.infinity {
                candidates.drop(below: minLogit)
                sum = candidates.weigh(largest: largest, inverseTemperature: inverse)
            }
            return candidates.pick(unit * sum)
        }
        if topP {
            return drawNucleus(
                row, largest: largest, inverse: inverse, fraction: parameters.topP,
                minWeight: parameters.minP, unit: unit)
        }
        if parameters.minP > 0 {
            gather(from: minLogit, of: row)
            let sum = candidates.weigh(largest: largest, inverseTemperature: inverse)
            return candidates.pick(unit * sum)
        }
        return drawUntruncated(row, largest: largest, inverse: inverse, unit: unit)
    }

    /// Scaled by temperature, min-p keeps logits of at least the best plus this.
    private func minPOffset(_ parameters: SamplingParameters) -> Float {
        parameters.minP > 0 ? naturalLogarithm(parameters.minP) : -.infinity
    }

    /// Two passes: block sums, then the block that the target falls into.
    private mutating func drawUntruncated(
        _ row: LogitRow, largest: Float, inverse: Float, unit: Double
    ) -> Int32? {
        let total = sumBlocks(row, largest: largest, inverse: inverse)
        let target = unit * total
        var before = 0.0
        var lastPossible: Int32?
        for (index, sum) in blockSums.enumerated() where sum > 0 {
            // Also enter the last block when rounding leaves the target beyond it.
            if target >= before + sum && index < blockSums.count - 1 {
                before += sum
                continue
            }
            let block = row.block(index)
            for i in stride(from: block.lowerBound, to: block.upperBound, by: 8) {
                let weights = vectorExp((row.upToEight(i) - largest) * inverse)
                for lane in 0..<min(8, row.count - i) where weights[lane] > 0 {
                    before += Double(weights[lane])
                    lastPossible = Int32(i + lane)
                    if target < before { return lastPossible }
                }
            }
        }
        return lastPossible ?? firstIndex(of: largest, in: row).map { Int32($0) }
    }

    /// Fills `blockSums` with the sums of e^((logit - largest) * inverse); returns the total.
    mutating func sumBlocks(_ row: LogitRow, largest: Float, inverse: Float) -> Double {
        blockSums.removeAll(keepingCapacity: true)
        let negligible = largest - 87 / inverse
        var total = 0.0
        for index in 0..<row.blockCount {
            guard blockMaxima[index] > negligible else {
                blockSums.append(0)
                continue
            }
            let block = row.block(index)
            var sum = SIMD8<Float>(repeating: 0)
            if block.count == LogitRow.blockSize {
                for i in stride(from: block.lowerBound, to: block.upperBound, by: 8) {
                    sum += vectorExp((row.eight(i) - largest) * inverse)
                }
            } else {
                for i in stride(from: block.lowerBound, to: block.upperBound, by: 8) {
                    sum += vectorExp((row.upToEight(i) - largest) * inverse)
                }
            }
            let blockSum = Double(horizontalSum(sum))
            blockSums.append(blockSum)
            total += blockSum
        }
        return total
    }
}
