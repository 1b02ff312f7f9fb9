internal import InferenceTypes

/// Log probabilities of a row that nothing has changed yet: the model's own distribution.
struct Logprobs {
    /// Natural logarithm of the sum of e^logit.
    private let normaliser: Float
    let top: [TokenLogprob.Alternative]

    /// - Parameter topCount: how many alternatives to keep.
    init(_ row: LogitRow, topCount: Int, scratch: inout SamplerScratch) {
        let largest = scratch.scan(row)
        let sum = scratch.sumBlocks(row, largest: largest, inverse: 1)
        let normaliser = largest + Float(naturalLogarithm(sum))
        self.normaliser = normaliser
        guard topCount > 0 else {
            top = []
            return
        }
        scratch.gatherLargest(topCount, of: row)
        top = scratch.candidates.items.map {
            .init(token: $0.token, logprob: $0.logit - normaliser)
        }
    }

    /// The log probability of a token with this logit in the unchanged row.
    func logprob(ofLogit logit: Float) -> Float { logit - normaliser }
}
