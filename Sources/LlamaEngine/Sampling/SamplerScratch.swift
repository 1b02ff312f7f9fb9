/// Working memory of one sampling thread, reused from row to row so that a step allocates nothing.
struct SamplerScratch {
    /// Each block's largest logit, of the row last scanned.
    var blockMaxima: [Float] = []
    /// Each block's weight.
    var blockSums: [Double] = []
    /// Tokens kept by truncation with their logits and weights, parallel arrays.
    var candidates = CandidateList()
    /// Each token's weight, whole blocks; see `drawNucleus`.
    var weights: [Float] = []
    /// A copy of the row as the model gave it, where log probabilities are asked for.
    private(set) var original: [Float] = []

    init(vocabularySize: Int) {
        let blocks = (vocabularySize + LogitRow.blockSize - 1) / LogitRow.blockSize
        blockMaxima.reserveCapacity(blocks)
        blockSums.reserveCapacity(blocks)
    }

    mutating func keepOriginal(_ row: LogitRow) {
        original.removeAll(keepingCapacity: true)
        row.copy(to: &original)
    }

    /// Fills `blockMaxima` and returns the row's largest logit; -infinity when none is a number.
    mutating func scan(_ row: LogitRow) -> Float {
        blockMaxima.removeAll(keepingCapacity: true)
        var largest = -Float.infinity
        for index in 0..<row.blockCount {
            let block = row.block(index)
            var best = SIMD8<Float>(repeating: -.infinity)
            if block.count == LogitRow.blockSize {
                var other = best
                var i = block.lowerBound
                while i < block.upperBound {
                    best = vectorMax(best, row.eight(i))
                    other = vectorMax(other, row.eight(i + 8))
                    i += 16
                }
                best = vectorMax(best, other)
            } else {
                for i in stride(from: block.lowerBound, to: block.upperBound, by: 8) {
                    best = vectorMax(best, row.upToEight(i))
                }
            }
            let blockMax = horizontalMax(best)
            blockMaxima.append(blockMax)
            if blockMax > largest { largest = blockMax }
        }
        return largest
    }

    /// The first index that holds `largest`, which `scan` returned for this row.
    func firstIndex(of largest: Float, in row: LogitRow) -> Int? {
        for (index, blockMax) in blockMaxima.enumerated() where blockMax == largest {
            for i in row.block(index) where row[i] == largest { return i }
        }
        return nil
    }

    /// The `limit` largest values of the scanned row, largest first, ties by lower index, into
    /// `candidates`.
    mutating func gatherLargest(_ limit: Int, of row: LogitRow) {
        // The limit-th largest block maximum is a lower bound for the limit-th largest value.
        var threshold = -Float.infinity
        if limit < blockMaxima.count {
            var sorted = blockMaxima
            sorted.sort(by: >)
            threshold = sorted[limit - 1]
        } else if limit < row.count {
            threshold = thresholdByBisection(keeping: limit, of: row)
        }
        gather(from: threshold, of: row)
        candidates.sort()
        candidates.keepFirst(limit)
    }

    /// All values of the scanned row that are at least `threshold` and not -infinity, by index.
    mutating func gather(from threshold: Float, of row: LogitRow) {
        candidates.removeAll()
        let least = max(threshold, -Float.greatestFiniteMagnitude)
        for (index, blockMax) in blockMaxima.enumerated() where blockMax >= least {
            for i in row.block(index) {
                let logit = row[i]
                if logit >= least { candidates.append(token: Int32(i), logit: logit) }
            }
        }
    }

    /// A lower bound of the `limit`-th largest value with few values between, by bisection.
    private func thresholdByBisection(keeping limit: Int, of row: LogitRow) -> Float {
        let largest = blockMaxima.max() ?? -.infinity
        guard largest > -.infinity && largest < .infinity else { return -.infinity }
        var depth: Float = 4
        while valueCount(of: row, from: largest - depth) < limit {
            depth *= 2
            // Deeper values cannot be drawn; whoever wants them ranked pays for a sort.
            if depth > 1000 { return -.infinity }
        }
        var high: Float = 0
        for _ in 0..<12 {
            let middle = (depth + high) / 2
            let count = valueCount(of: row, from: largest - middle)
            if count >= limit { depth = middle } else { high = middle }
            if count >= limit && count <= limit + limit / 8 { break }
        }
        return largest - depth
    }

    /// How many values are at least `least`.
    private func valueCount(of row: LogitRow, from least: Float) -> Int {
        var total = 0
        for (index, blockMax) in blockMaxima.enumerated() where blockMax >= least {
            var count = SIMD8<Float>(repeating: 0)
            let block = row.block(index)
            for i in stride(from: block.lowerBound, to: block.upperBound, by: 8) {
                let one = SIMD8<Float>(repeating: 1)
                count += one.replacing(with: 0, where: row.upToEight(i) .< least)
            }
            total += Int(horizontalSum(count))
        }
        return total
    }
}
