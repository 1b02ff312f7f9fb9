/// Top-p without sorting the vocabulary.
extension SamplerScratch {
    /// Buckets per unit of scaled logit.
    private static let bucketsPerUnit: Float = 16

    /// Gathers the shortest run of most probable tokens whose weight is at least `fraction` of all;
    /// weighs them and returns their sum. Needs `scan`.
    ///
    /// Buckets of scaled logits hold weight; only the bucket where the sum crosses the mass is
    /// sorted. Tokens `depth` below the best weigh in all at most half of what may be cut, so
    /// the crossing lies above them.
    mutating func gatherNucleus(
        of row: LogitRow, largest: Float, inverse: Float, fraction: Float
    ) -> Double {
        let total = sumBlocks(row, largest: largest, inverse: inverse)
        let mass = Double(fraction) * total
        let spare = max(1 - Double(fraction), 1e-7)
        let depth = Float(naturalLogarithm(2 * Double(row.count) / spare)) + 1
        let buckets = Int(depth * Self.bucketsPerUnit) + 1
        fillBuckets(row, largest: largest, inverse: inverse, buckets: buckets)

        var sum = 0.0
        var crossing = buckets - 1
        for bucket in 0..<buckets {
            sum += bucketSums[bucket]
            if sum >= mass {
                crossing = bucket
                break
            }
        }
        // One bucket of slack on both sides covers rounding: what lies surely above the crossing
        // bucket is kept whole, from there on rank decides.
        let unitsPerBucket = 1 / (Self.bucketsPerUnit * inverse)
        gather(from: largest - Float(crossing + 2) * unitsPerBucket, of: row)
        let start = candidates.sortTail(
            below: crossing == 0 ? .infinity : largest - Float(crossing - 1) * unitsPerBucket)
        _ = candidates.weigh(largest: largest, inverseTemperature: inverse)
        return candidates.cut(from: start, mass: mass)
    }

    /// Adds up each bucket's weight over tokens at most `buckets` buckets below the best.
    private mutating func fillBuckets(
        _ row: LogitRow, largest: Float, inverse: Float, buckets: Int
    ) {
        bucketSums.removeAll(keepingCapacity: true)
        bucketSums.append(contentsOf: repeatElement(0, count: buckets))
        let scale = inverse * Self.bucketsPerUnit
        let least = largest - Float(buckets) / scale
        for (index, blockMax) in blockMaxima.enumerated() where blockMax > least {
            let block = row.block(index)
            for i in stride(from: block.lowerBound, to: block.upperBound, by: 8) {
                let logits = row.upToEight(i)
                let weights = vectorExp((logits - largest) * inverse)
                let places = (largest - logits) * scale
                for lane in 0..<8 where places[lane] < Float(buckets) {
                    bucketSums[Int(places[lane])] += Double(weights[lane])
                }
            }
        }
    }
}
