import EngineProtocol
import InferenceTypes
import Scheduling

/// What this worker generated, for whom: written before anybody is told of a step's tokens, so that
/// what a gateway has accepted, and what it never came to see, is known when either has died.
///
/// Owned by the engine thread. One write a step; nothing is synced, since the end of a process
/// loses nothing that was written.
struct WorkerJournal {
    private struct Sequence {
        var begin: JournalBegin
        var positions: Int
        /// Whether the file in hand has its `begin`.
        var isWritten = false
    }

    private var files: JournalFiles
    private let model: String
    private var sequences: [SequenceKey: Sequence] = [:]
    private var lastOrdinal: UInt64 = 0
    private var encoder = JournalEncoder()
    /// Whose tokens this step brought, in order.
    private var advanced: [SequenceKey] = []

    init(files: JournalFiles, model: String) {
        self.files = files
        self.model = model
    }

    /// A request was taken; nothing is written before it starts.
    mutating func submitted(_ request: GenerationRequest, key: SequenceKey) {
        guard let usage = request.usage else { return }
        lastOrdinal += 1
        sequences[key] = Sequence(
            begin: JournalBegin(
                ordinal: lastOrdinal, usage: usage, requestID: request.id,
                tenant: request.tenant, tier: request.tier, model: model,
                promptTokens: request.prompt.count - request.resumedTokens, cachedTokens: 0,
                base: request.resumedTokens),
            positions: request.resumedTokens)
    }

    mutating func cancelled(_ key: SequenceKey) {
        end(key, .cancelled)
    }

    mutating func record(_ events: [SchedulerEvent]) {
        for event in events {
            switch event {
            case .started(let key, let cachedTokens, _):
                guard sequences[key]?.isWritten == false else { continue }
                sequences[key]?.begin.cachedTokens = cachedTokens
                begin(key)
            case .token(let token):
                guard sequences[token.key] != nil else { continue }
                sequences[token.key]?.positions = token.index + 1
                if advanced.last != token.key { advanced.append(token.key) }
            case .finished(let finished): end(finished.key, .finished)
            case .failed(let key, _): end(key, .failed)
            case .prefilled, .preempted: break
            }
        }
    }

    /// Writes what has come since the last time. False when that failed; it is tried again with
    /// the next step.
    mutating func flush() -> Bool {
        for key in advanced { tokens(of: key) }
        advanced.removeAll(keepingCapacity: true)
        guard !encoder.isEmpty else { return true }
        let isWritten = files.append(encoder.frame())
        if !isWritten || files.isFull {
            // What goes on is named anew in the next file, or behind what is missing.
            if isWritten { files.rotate() }
            let open = sequences.filter(\.value.isWritten).keys
            for key in open.sorted(by: { $0.rawValue < $1.rawValue }) { begin(key) }
        }
        return isWritten
    }

    private mutating func begin(_ key: SequenceKey) {
        guard var sequence = sequences[key] else { return }
        sequence.begin.base = sequence.positions
        sequence.isWritten = true
        sequences[key] = sequence
        encoder.append(.begin(sequence.begin))
    }

    private mutating func tokens(of key: SequenceKey) {
        guard let sequence = sequences[key] else { return }
        encoder.append(
            .tokens(ordinal: sequence.begin.ordinal, positions: sequence.positions))
    }

    private mutating func end(_ key: SequenceKey, _ reason: JournalEnd) {
        // Its tokens precede its end.
        if advanced.contains(key) {
            tokens(of: key)
            advanced.removeAll { $0 == key }
        }
        guard let sequence = sequences.removeValue(forKey: key), sequence.isWritten else { return }
        encoder.append(.end(ordinal: sequence.begin.ordinal, reason: reason))
    }
}
