import InferenceTypes

/// Log probabilities are parallel arrays on the wire and one struct per token here.
enum EngineLogprobs {
    /// Entries beyond the shorter array mean nothing and are dropped. vLLM leaves out tokens that
    /// have no value, and leaves `tops` empty when no alternatives were asked for.
    static func join(
        _ values: [Float], _ ids: [TokenID], _ tops: [[TokenLogprob.Alternative]]
    ) -> [TokenLogprob] {
        let count = min(values.count, ids.count)
        return (0..<count).map { index in
            TokenLogprob(
                token: ids[index], logprob: values[index],
                top: index < tops.count ? tops[index] : [])
        }
    }

    /// Most probable first, whatever the sender's order: vLLM puts the sampled token in front.
    /// Equal values keep their order.
    static func join(_ values: [Float], _ ids: [TokenID]) -> [TokenLogprob.Alternative] {
        let count = min(values.count, ids.count)
        var joined = (0..<count).map {
            TokenLogprob.Alternative(token: ids[$0], logprob: values[$0])
        }
        // Insertion: at most 20 entries, and nearly in order.
        for index in 1..<max(1, count) {
            var place = index
            while place > 0, joined[place - 1].logprob < joined[place].logprob {
                joined.swapAt(place - 1, place)
                place -= 1
            }
        }
        return joined
    }
}
