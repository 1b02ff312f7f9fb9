package import InferenceTypes

/// Turns the tokens of one choice into text that can be sent at once.
///
/// ```
/// token ids ──PieceTable──▶ bytes ──UTF8Repair──▶ valid UTF-8 ──StopMatcher──▶ output
///                             incomplete code points wait │ what may begin a stop string waits
/// ```
///
/// What comes out is complete UTF-8 after each call, never part of a stop string, and in all the
/// same however the text is cut into tokens. Control tokens are no part of the text.
///
/// Log probabilities belong to the text of their token, so the assembler also says how many tokens'
/// text is out: keep the entries in a queue and take `releasedTokens` from its front with each
/// advance. A token whose text is held back keeps its entry back. When a stop string is found the
/// tokens of which at least one byte was put out are released, as OpenAI does; what is left in the
/// queue then belongs to trimmed text and is dropped.
///
/// A value with one owner: the exchange that streams the choice. Cost: 0 allocations and one copy
/// per token, unless something is held back.
package struct TextAssembler: Sendable {
    /// What one call changed.
    package struct Advance: Hashable, Sendable {
        /// How many more tokens, in order, have their text out.
        package var releasedTokens: Int
        /// Index in `StopStrings.strings` of the stop string that ends the text here.
        package var stop: Int?
    }

    /// A token whose text is not all out. Offsets count bytes of valid UTF-8 from the start.
    private struct Waiting {
        /// Where the code point begins in which its text begins.
        var start: Int
        /// Where its last code point ends; nil while that is incomplete.
        var end: Int?
    }

    private let pieces: PieceTable
    private let minimumTokens: Int
    private var repair = UTF8Repair()
    private var matcher: StopMatcher
    /// Valid UTF-8 that is not out yet.
    private var held: [UInt8] = []
    /// In order; empty when, and only when, neither `held` nor `repair` has anything.
    private var waiting: [Waiting] = []
    private var outBytes = 0
    private var seenTokens = 0
    /// Index of the stop string that ended the text.
    package private(set) var stop: Int?

    /// Stop strings are not looked for in the text of the first `minimumTokens` tokens
    /// (`min_tokens`).
    package init(pieces: PieceTable, stops: StopStrings = .none, minimumTokens: Int = 0) {
        self.pieces = pieces
        self.minimumTokens = minimumTokens
        matcher = StopMatcher(stops)
    }

    /// How many bytes are held back: at most the longest stop string less one, and 3.
    package var heldBytes: Int { held.count }

    /// Appends the text that `token` completes to `output`.
    ///
    /// After a stop string was found nothing more comes out; the answer repeats the stop.
    package mutating func append(_ token: TokenID, to output: inout [UInt8]) -> Advance {
        guard stop == nil else { return Advance(releasedTokens: 0, stop: stop) }
        seenTokens += 1
        let text = pieces.text(token)
        if waiting.isEmpty && pieces.isWhole(token) && matcher.passes(text) {
            output.append(contentsOf: text)
            outBytes += text.count
            return Advance(releasedTokens: 1, stop: nil)
        }
        let scanned = held.count
        waiting.append(Waiting(start: outBytes + scanned, end: nil))
        let resolved = repair.append(text, to: &held)
        resolveWaiting(resolved)
        return release(scannedTo: scanned, to: &output)
    }

    /// Ends the text: an unfinished code point becomes U+FFFD, and what was held back comes out.
    package mutating func finish(to output: inout [UInt8]) -> Advance {
        guard stop == nil else { return Advance(releasedTokens: 0, stop: stop) }
        let scanned = held.count
        let resolved = repair.finish(to: &held)
        resolveWaiting(resolved)
        let advance = release(scannedTo: scanned, to: &output)
        guard advance.stop == nil else { return advance }
        output.append(contentsOf: held)
        outBytes += held.count
        held.removeAll()
        defer { waiting.removeAll() }
        return Advance(releasedTokens: advance.releasedTokens + waiting.count, stop: nil)
    }

    /// Sets the ends of the tokens that waited for a code point: `resolved` is where in `held` the
    /// code point under way before the newest token ended.
    private mutating func resolveWaiting(_ resolved: Int?) {
        if let resolved {
            var index = waiting.count - 1
            while index >= 0 && waiting[index].end == nil {
                waiting[index].end = outBytes + resolved
                index -= 1
            }
        }
        guard let last = waiting.indices.last else { return }
        waiting[last].end = repair.isPending ? nil : outBytes + held.count
    }

    /// Looks for stop strings in `held[scanned...]` and puts out what cannot belong to one.
    private mutating func release(scannedTo scanned: Int, to output: inout [UInt8]) -> Advance {
        if seenTokens > minimumTokens, let match = matcher.scan(held, from: scanned) {
            return end(at: match, to: &output)
        }
        let count = held.count - matcher.heldBytes
        output.append(contentsOf: held[..<count])
        held.removeFirst(count)
        outBytes += count
        var released = 0
        while released < waiting.count, let end = waiting[released].end, end <= outBytes {
            released += 1
        }
        waiting.removeFirst(released)
        return Advance(releasedTokens: released, stop: nil)
    }

    private mutating func end(at match: StopMatcher.Match, to output: inout [UInt8]) -> Advance {
        output.append(contentsOf: held[..<match.range.lowerBound])
        outBytes += match.range.lowerBound
        let released = waiting.prefix { $0.start < outBytes }.count
        held.removeAll()
        waiting.removeAll()
        stop = match.string
        return Advance(releasedTokens: released, stop: stop)
    }
}
