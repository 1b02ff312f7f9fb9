internal import CLlama
internal import CLlamaChat
package import InferenceTypes

/// A model's tokens: text to token ids, and back through `pieces`.
///
/// Opened from a GGUF without its weights; one that holds nothing but a vocabulary is enough.
/// Immutable, and all methods may be called from any thread at once: `llama_tokenize` is a const
/// method of an immutable object that keeps its working state on its own stack. Tokenizing takes
/// about 0.24 us per byte and 25 us per part between special tokens, and a megabyte without a space
/// seconds, so it belongs on a pool's thread, never on an event loop.
package final class Vocabulary: Sendable {
    /// `general.name`; empty when the file has none.
    package let name: String
    /// `general.architecture`, such as `llama`.
    package let architecture: String
    /// Tokens that the model was trained on at once: `<architecture>.context_length`.
    package let contextLength: Int
    package let beginOfSequence: TokenID?
    package let endOfSequence: TokenID?
    /// Tokens after which the model has nothing more to say, ascending.
    package let endOfGeneration: [TokenID]
    /// Whether `addSpecial` puts `beginOfSequence` before, and `endOfSequence` after, the tokens.
    package let addsBeginOfSequence: Bool
    package let addsEndOfSequence: Bool
    /// The bytes of all tokens.
    package let pieces: PieceTable
    package let limits: TokenizationLimits

    /// The tokens that stand for text that the vocabulary cannot spell: at most one, or none.
    let unknown: [TokenID]
    let specialTokens: SpecialTokens
    /// `specialTokens.controlBorders()`.
    let controlBorders: [Unicode.Scalar]
    let handle: ModelHandle

    /// Reads the vocabulary of the GGUF at `path`: 0.1 s for 49,000 tokens.
    package init(
        path: String, limits: TokenizationLimits = TokenizationLimits()
    ) throws(TokenizationError) {
        guard let handle = ModelHandle(path: path) else {
            throw .modelUnusable(path: path, reason: "not readable as a GGUF model")
        }
        let vocabulary = unsafe handle.vocabulary
        let type = unsafe llama_vocab_type(vocabulary)
        guard type != LLAMA_VOCAB_TYPE_NONE, type != LLAMA_VOCAB_TYPE_WPM else {
            throw .modelUnusable(path: path, reason: "has no vocabulary for generating text")
        }
        architecture = handle.metadata("general.architecture") ?? ""
        name = handle.metadata("general.name") ?? ""
        // llama_model_n_ctx_train is 0 for a model without weights.
        let key = "\(architecture).context_length"
        guard let contextLength = handle.metadata(key).flatMap({ Int($0) }), contextLength > 0
        else { throw .modelUnusable(path: path, reason: "has no \(key)") }
        self.contextLength = contextLength
        let begin = unsafe llama_vocab_bos(vocabulary)
        let end = unsafe llama_vocab_eos(vocabulary)
        beginOfSequence = begin >= 0 ? begin : nil
        endOfSequence = end >= 0 ? end : nil
        addsBeginOfSequence = unsafe llama_vocab_get_add_bos(vocabulary)
        addsEndOfSequence = unsafe llama_vocab_get_add_eos(vocabulary)
        // Tokenizing would abort the process.
        guard !addsBeginOfSequence || begin >= 0, !addsEndOfSequence || end >= 0 else {
            throw .modelUnusable(path: path, reason: "wants a BOS or EOS token and has none")
        }
        let tables = Self.readTokens(handle)
        pieces = PieceTable(pieces: tables.pieces, isControl: tables.isControl)
        endOfGeneration = tables.endOfGeneration
        unknown = tables.unknown
        specialTokens = SpecialTokens(tables.special)
        controlBorders = specialTokens.controlBorders()
        self.limits = limits
        self.handle = handle
    }

    /// How many tokens there are; ids are `0..<size`.
    package var size: Int { pieces.count }

    package func isEndOfGeneration(_ token: TokenID) -> Bool { endOfGeneration.contains(token) }

    /// The tokens of `text`. With `addSpecial` BOS and EOS are added as the model wants; with
    /// `parseSpecial` the spellings of control tokens become those tokens, so never set it for
    /// text that a client wrote.
    ///
    /// Throws `textTooLong`, or `libraryFailed`.
    package func tokenize(
        _ text: String, addSpecial: Bool, parseSpecial: Bool = false
    ) throws(TokenizationError) -> [TokenID] {
        var tokens: [TokenID] = []
        try appendTokens(
            of: Array(text.utf8)[...], to: &tokens, addSpecial: addSpecial,
            parseSpecial: parseSpecial)
        return tokens
    }

    func appendTokens(
        of text: ArraySlice<UInt8>, to tokens: inout [TokenID], addSpecial: Bool,
        parseSpecial: Bool
    ) throws(TokenizationError) {
        guard text.count <= limits.maximumTextBytes else {
            throw .textTooLong(bytes: text.count, maximumBytes: limits.maximumTextBytes)
        }
        // A token covers a byte at least; BOS, EOS and a leading space may come on top. Only
        // normalization can need more, and then the library says how much.
        var capacity = text.count + 3
        while true {
            let (written, count, reason) = call(
                text, capacity: capacity, addSpecial: addSpecial, parseSpecial: parseSpecial)
            if let reason { throw .libraryFailed(reason: reason) }
            if count >= 0 {
                tokens.append(contentsOf: written)
                return
            }
            capacity = Int(-count)
        }
    }

    private func call(
        _ text: ArraySlice<UInt8>, capacity: Int, addSpecial: Bool, parseSpecial: Bool
    ) -> (tokens: [TokenID], count: Int32, reason: String?) {
        var error: UnsafeMutablePointer<CChar>?
        var count: Int32 = 0
        let tokens = unsafe [TokenID](unsafeUninitializedCapacity: capacity) { buffer, size in
            // Returns the number of tokens, its negation when they do not fit, and INT32_MIN with
            // an error when the library threw or the number does not fit into 32 bits.
            count = unsafe text.withUnsafeBytes { bytes in
                unsafe switchyard_tokenize(
                    handle.vocabulary, bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                    Int32(bytes.count), buffer.baseAddress, Int32(capacity), addSpecial,
                    parseSpecial, &error)
            }
            size = Int(max(count, 0))
        }
        if count == .min {
            return (tokens, count, unsafe takeMessage(error) ?? "too many tokens")
        }
        return (tokens, count, nil)
    }

    private static func readTokens(_ handle: borrowing ModelHandle) -> TokenTables {
        let vocabulary = unsafe handle.vocabulary
        var tables = TokenTables()
        let count = unsafe llama_vocab_n_tokens(vocabulary)
        for token in 0..<count {
            let attributes = unsafe llama_vocab_get_attr(vocabulary, token).rawValue
            func has(_ attribute: llama_token_attr) -> Bool {
                attributes & attribute.rawValue != 0
            }
            let isUnknown = has(LLAMA_TOKEN_ATTR_UNKNOWN)
            let isControl = has(LLAMA_TOKEN_ATTR_CONTROL) || isUnknown
            if isUnknown { tables.unknown.append(token) }
            tables.pieces.append(handle.piece(token))
            tables.isControl.append(isControl)
            if unsafe llama_vocab_is_eog(vocabulary, token) { tables.endOfGeneration.append(token) }
            guard isControl || has(LLAMA_TOKEN_ATTR_USER_DEFINED),
                let spelling = unsafe llama_vocab_get_text(vocabulary, token)
            else { continue }
            tables.special.append(
                SpecialTokens.Token(
                    id: token, spelling: Array(unsafe String(cString: spelling).utf8),
                    isControl: isControl, stripsLeft: has(LLAMA_TOKEN_ATTR_LSTRIP),
                    stripsRight: has(LLAMA_TOKEN_ATTR_RSTRIP)))
        }
        return tables
    }

    private struct TokenTables {
        var pieces: [[UInt8]] = []
        var isControl: [Bool] = []
        var endOfGeneration: [TokenID] = []
        var unknown: [TokenID] = []
        var special: [SpecialTokens.Token] = []
    }
}

/// The message that a C function left in `error`, which is freed.
func takeMessage(_ error: UnsafeMutablePointer<CChar>?) -> String? {
    guard let error = unsafe error else { return nil }
    defer { unsafe switchyard_string_free(error) }
    return unsafe String(cString: error)
}
