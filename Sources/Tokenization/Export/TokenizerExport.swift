internal import CLlama
internal import InferenceTypes

/// A GGUF's tokenizer as the files that Hugging Face's `tokenizers` reads, so that a gateway which
/// tokenizes by itself gets the very tokens that libllama would make of the same text.
///
/// Byte-level BPE only. There is no normalizer: libllama has none for these models, though some
/// original tokenizers compose characters (NFC) first. Immutable.
package struct TokenizerExport: Sendable {
    package struct File: Hashable, Sendable {
        package var name: String
        package var bytes: [UInt8]
    }

    /// `tokenizer.json`, `tokenizer_config.json` and `config.json`.
    package let files: [File]
    /// Tokens of the vocabulary.
    package let vocabularySize: Int

    /// Opens the GGUF's vocabulary, without its weights, for as long as this takes: 0.3 s for
    /// 49,000 tokens. Not on an event loop.
    ///
    /// Throws `modelUnusable` or `templateUnusable` when the file is broken, and `notExportable`
    /// when its tokenizer has no such files.
    package init(modelPath: String) throws(TokenizationError) {
        guard let metadata = GGUFMetadata(path: modelPath) else {
            throw .modelUnusable(path: modelPath, reason: "not readable as a GGUF model")
        }
        let preTokenizer = try Self.preTokenizer(metadata)
        guard let merges = metadata.strings("tokenizer.ggml.merges") else {
            throw .notExportable(reason: "the model has no tokenizer.ggml.merges")
        }
        let vocabulary = try Vocabulary(path: modelPath)
        let tokens = vocabulary.spellings()
        try Self.check(merges, tokens: tokens)
        // The template as it is in the file; the library's own default where there is none.
        var template = metadata.string("tokenizer.chat_template")
        if template == nil { template = try ChatTemplate(vocabulary: vocabulary).source }
        vocabularySize = tokens.count
        files = [
            File(
                name: "tokenizer.json",
                bytes: Self.tokenizer(vocabulary, tokens, merges, preTokenizer)),
            File(
                name: "tokenizer_config.json",
                bytes: Self.configuration(vocabulary, tokens, template: template ?? "")),
            File(name: "config.json", bytes: Self.model(vocabulary)),
        ]
    }

    private static func preTokenizer(
        _ metadata: borrowing GGUFMetadata
    ) throws(TokenizationError) -> PreTokenizer {
        let model = metadata.string("tokenizer.ggml.model") ?? ""
        guard model == "gpt2" else {
            throw .notExportable(
                reason: "the model's tokenizer is '\(model)'; only byte-level BPE ('gpt2') has a "
                    + "tokenizer.json here")
        }
        let name = metadata.string("tokenizer.ggml.pre") ?? ""
        guard let preTokenizer = PreTokenizer(named: name) else {
            throw .notExportable(
                reason: "the model's pre-tokenizer (tokenizer.ggml.pre) '\(name)' is not known")
        }
        return preTokenizer
    }

    /// `tokenizers` refuses a merge of, or into, what is no token.
    private static func check(
        _ merges: [String], tokens: [String]
    ) throws(TokenizationError) {
        let known = Set(tokens)
        for merge in merges {
            let parts = merge.split(separator: " ", omittingEmptySubsequences: false)
            guard parts.count == 2, known.contains(String(parts[0])),
                known.contains(String(parts[1])), known.contains(String(parts[0] + parts[1]))
            else { throw .notExportable(reason: "the merge '\(merge)' is not of tokens") }
        }
    }

    // MARK: tokenizer.json

    private static func tokenizer(
        _ vocabulary: Vocabulary, _ tokens: [String], _ merges: [String],
        _ preTokenizer: PreTokenizer
    ) -> [UInt8] {
        var json = JSONText()
        json.bytes.reserveCapacity(40 * (tokens.count + merges.count))
        json.raw(#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":["#)
        json.list(vocabulary.specialTokens.tokens.sorted { $0.id < $1.id }) { json, token in
            json.raw(#"{"id":\#(token.id),"content":"#)
            json.string(tokens[Int(token.id)])
            json.raw(
                #","single_word":false,"lstrip":\#(token.stripsLeft),"#
                    + #""rstrip":\#(token.stripsRight),"normalized":false,"#
                    + #""special":\#(token.isControl)}"#)
        }
        json.raw(#"],"normalizer":null,"pre_tokenizer":{"type":"Sequence","pretokenizers":["#)
        json.list(preTokenizer.splits) { json, split in
            json.raw(#"{"type":"Split","pattern":{"Regex":"#)
            json.string(split)
            json.raw(#"},"behavior":"Isolated","invert":false}"#)
        }
        let byteLevel =
            #"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":false}"#
        json.raw("," + byteLevel + #"]},"post_processor":"#)
        postProcessor(vocabulary, tokens, into: &json)
        json.raw(#","decoder":"# + byteLevel + #","model":{"type":"BPE","dropout":null,"#)
        json.raw(#""unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,"#)
        json.raw(#""fuse_unk":false,"byte_fallback":false,"#)
        json.raw(#""ignore_merges":\#(preTokenizer.ignoresMerges),"vocab":{"#)
        json.list(tokens.enumerated()) { json, token in
            json.string(token.element)
            json.raw(":\(token.offset)")
        }
        json.raw(#"},"merges":["#)
        json.list(merges) { json, merge in json.string(merge) }
        json.raw("]}}")
        return json.bytes
    }

    /// BOS before and EOS after the text, where the model wants them.
    private static func postProcessor(
        _ vocabulary: Vocabulary, _ tokens: [String], into json: inout JSONText
    ) {
        let begin = vocabulary.addsBeginOfSequence ? vocabulary.beginOfSequence : nil
        let end = vocabulary.addsEndOfSequence ? vocabulary.endOfSequence : nil
        guard begin != nil || end != nil else { return json.raw("null") }
        func special(_ token: TokenID?, _ json: inout JSONText) {
            guard let token else { return }
            json.raw(#"{"SpecialToken":{"id":"#)
            json.string(tokens[Int(token)])
            json.raw(#","type_id":0}}"#)
        }
        func template(_ texts: [String], _ json: inout JSONText) {
            var parts: [(token: TokenID?, text: String?)] = []
            if let begin { parts.append((begin, nil)) }
            parts += texts.map { (nil, $0) }
            if let end { parts.append((end, nil)) }
            json.list(parts) { json, part in
                if let text = part.text {
                    json.raw(#"{"Sequence":{"id":"\#(text)","type_id":0}}"#)
                } else {
                    special(part.token, &json)
                }
            }
        }
        json.raw(#"{"type":"TemplateProcessing","single":["#)
        template(["A"], &json)
        json.raw(#"],"pair":["#)
        template(["A", "B"], &json)
        json.raw(#"],"special_tokens":{"#)
        let used = Set([begin, end].compactMap { $0 })
        json.list(used.sorted()) { json, token in
            json.string(tokens[Int(token)])
            json.raw(#":{"id":"#)
            json.string(tokens[Int(token)])
            json.raw(#","ids":[\#(token)],"tokens":["#)
            json.string(tokens[Int(token)])
            json.raw("]}")
        }
        json.raw("}}")
    }

    // MARK: tokenizer_config.json and config.json

    private static func configuration(
        _ vocabulary: Vocabulary, _ tokens: [String], template: String
    ) -> [UInt8] {
        var json = JSONText()
        json.raw(#"{"tokenizer_class":"PreTrainedTokenizerFast","#)
        json.raw(#""model_max_length":\#(vocabulary.contextLength),"#)
        json.raw(#""clean_up_tokenization_spaces":false,"add_prefix_space":false,"#)
        json.raw(#""add_bos_token":\#(vocabulary.addsBeginOfSequence),"#)
        json.raw(#""add_eos_token":\#(vocabulary.addsEndOfSequence),"#)
        let special: [(String, TokenID?)] = [
            ("bos_token", vocabulary.beginOfSequence), ("eos_token", vocabulary.endOfSequence),
            ("unk_token", vocabulary.unknown.first), ("pad_token", vocabulary.padding),
        ]
        for case (let key, let token?) in special {
            json.raw("\"\(key)\":")
            json.string(tokens[Int(token)])
            json.raw(",")
        }
        json.raw(#""chat_template":"#)
        json.string(template)
        json.raw("}")
        return json.bytes
    }

    /// No `architectures`: a GGUF does not have Hugging Face's names of them.
    private static func model(_ vocabulary: Vocabulary) -> [UInt8] {
        var json = JSONText()
        json.raw(#"{"model_type":"#)
        json.string(vocabulary.architecture)
        json.raw(#","vocab_size":\#(vocabulary.size),"#)
        json.raw(#""max_position_embeddings":\#(vocabulary.contextLength),"#)
        if let begin = vocabulary.beginOfSequence { json.raw(#""bos_token_id":\#(begin),"#) }
        if let padding = vocabulary.padding { json.raw(#""pad_token_id":\#(padding),"#) }
        json.raw(#""eos_token_id":["#)
        json.list(vocabulary.endOfGeneration) { json, token in json.raw("\(token)") }
        json.raw("]}")
        return json.bytes
    }
}

extension Vocabulary {
    /// `[token]`: as the file writes it, ordinary tokens in byte-level letters (`Ġthe`).
    fileprivate func spellings() -> [String] {
        (0..<Int32(size)).map { token in
            unsafe llama_vocab_get_text(handle.vocabulary, token)
                .map { unsafe String(cString: $0) } ?? ""
        }
    }

    fileprivate var padding: TokenID? {
        let token = unsafe llama_vocab_pad(handle.vocabulary)
        return token >= 0 ? token : nil
    }
}
