package import InferenceTypes

/// How fast the workers of a pool are, learned from the pool's own streams: one line for prefill
/// and one for decode steps over all workers, and for each worker how much slower or faster it is.
/// A worker that gets little is taken to be like the others, so that one bad sample cannot keep
/// requests away from it for ever. Owned by the dispatcher.
package struct RateBook: Sendable {
    /// How much slower than the pool a worker is: observed over predicted seconds.
    private struct Speed {
        var observed = 0.0
        var predicted = 0.0
        var count = 0.0
        var last: Instant?

        mutating func observe(_ seconds: Double, predicted: Double, now: Instant) {
            fade(now)
            observed += seconds
            self.predicted += predicted
            count += 1
        }

        mutating func fade(_ now: Instant) {
            let fade = LineFit.fade(
                since: last, now: now, memoryNanoseconds: RateBook.memoryNanoseconds)
            last = now
            observed *= fade
            predicted *= fade
            count *= fade
        }

        /// 1 without observations; bounded, as a single stall says little.
        var ratio: Double {
            guard count > 1e-6, predicted > 0 else { return 1 }
            let prior = RateBook.priorObservations * predicted / count
            return min(max((observed + prior) / (predicted + prior), 0.1), 10)
        }
    }

    private struct WorkerSpeed {
        var prefill = Speed()
        var decode = Speed()
    }

    /// Older observations have lost most of their weight.
    package static let memoryNanoseconds = 60e9
    /// Observations of a worker that count as much as the assumption that it is like the others.
    package static let priorObservations = 8.0
    /// Streams with fewer tokens say too little of decode steps.
    package static let tokensMin = 8
    /// Spread of prefilled tokens, squared, below which the line goes through 0.
    private static let prefillStrength = 4.0 * 256 * 256
    /// Spread of decode work (`work`), squared, below which the default slope stays.
    private static let decodeStrength = 16.0

    private let defaults: WorkerRates
    private var prefill = LineFit(memoryNanoseconds: memoryNanoseconds)
    private var decode = LineFit(memoryNanoseconds: memoryNanoseconds)
    private var slot = LineFit(memoryNanoseconds: memoryNanoseconds)
    /// Looked up only, never iterated.
    private var speeds: [WorkerID: WorkerSpeed] = [:]

    /// - Parameter defaults: Until something is known.
    package init(defaults: WorkerRates = WorkerRates()) {
        self.defaults = defaults
    }

    // MARK: Observations

    /// A first token came `seconds` after the ticket was handed to the worker, which had so many
    /// prompt tokens to prefill until then, its own and those ahead, none of them cached.
    package mutating func prefilled(
        _ worker: WorkerID, seconds: Double, tokens: Int, now: Instant
    ) {
        guard seconds > 0, tokens > 0 else { return }
        let line = prefillLine
        speeds[worker, default: WorkerSpeed()].prefill.observe(
            seconds, predicted: line.intercept + line.slope * Double(tokens), now: now)
        prefill.observe(x: Double(tokens), y: seconds, now: now)
    }

    /// A stream ended that had a token every `secondsPerToken` beside this load, itself included.
    package mutating func decoded(
        _ worker: WorkerID, secondsPerToken: Double, load: WorkerLoad, now: Instant
    ) {
        guard secondsPerToken > 0, load.sequences > 0 else { return }
        let line = decodeLine
        let work = work(load)
        speeds[worker, default: WorkerSpeed()].decode.observe(
            secondsPerToken, predicted: line.intercept + line.slope * work, now: now)
        decode.observe(x: work, y: secondsPerToken, now: now)
    }

    /// A ticket held its slot for so long.
    package mutating func held(seconds: Double, now: Instant) {
        guard seconds > 0 else { return }
        slot.observe(x: 1, y: seconds, now: now)
    }

    package mutating func remove(_ worker: WorkerID) {
        speeds[worker] = nil
    }

    // MARK: Rates

    /// Of a worker like the others.
    package var pool: WorkerRates {
        rates(prefill: 1, decode: 1)
    }

    /// Of this worker now: what it was is slowly forgotten while it gets nothing.
    package mutating func rates(of worker: WorkerID, now: Instant) -> WorkerRates {
        speeds[worker]?.prefill.fade(now)
        speeds[worker]?.decode.fade(now)
        return rates(
            prefill: speeds[worker]?.prefill.ratio ?? 1,
            decode: speeds[worker]?.decode.ratio ?? 1)
    }

    private func rates(prefill: Double, decode: Double) -> WorkerRates {
        let line = decodeLine
        return WorkerRates(
            prefillSecondsPerToken: prefillLine.slope * prefill,
            decodeSecondsPerStep: line.intercept * decode,
            decodeSecondsPerSequence: line.slope * decode,
            decodeSecondsPerContextToken: line.slope * contextShare * decode,
            slotSeconds: (slot.meanY ?? defaults.slotSeconds) * decode)
    }

    /// The value at 0 is the way there and back, and the step that the prompt came into.
    private var prefillLine: (slope: Double, intercept: Double) {
        prefill.line(prior: nil, strength: Self.prefillStrength)
            ?? (defaults.prefillSecondsPerToken, 0)
    }

    private var decodeLine: (slope: Double, intercept: Double) {
        decode.line(
            prior: defaults.decodeSecondsPerSequence, strength: Self.decodeStrength)
            ?? (defaults.decodeSecondsPerSequence, defaults.decodeSecondsPerStep)
    }

    /// Sequences, and context in sequences' worth: both grow together, so that streams cannot tell
    /// their parts, and the proportion stays that of the defaults.
    private func work(_ load: WorkerLoad) -> Double {
        Double(load.sequences) + Double(load.contextTokens) * contextShare
    }

    private var contextShare: Double {
        defaults.decodeSecondsPerSequence > 0
            ? defaults.decodeSecondsPerContextToken / defaults.decodeSecondsPerSequence : 0
    }
}
