package import InferenceTypes

extension Vocabulary {
    /// The tokens of a rendered conversation, with BOS and EOS as the model wants.
    ///
    /// The prompt is cut at the special tokens that the template wrote, exactly where libllama
    /// itself cuts a string (`llama-vocab.cpp`, `tokenizer_st_partition`), and what lies between is
    /// tokenized as plain text, template words and client's words in one piece. So for ordinary
    /// texts the tokens are those of libllama for the whole string, and a spelling of a control
    /// token in a client's text stays text. User-defined tokens (such as runs of spaces, or
    /// `<think>` in some vocabularies) are by their nature part of ordinary text.
    ///
    /// Throws `textTooLong`, `controlTokenInText` or `libraryFailed`.
    package func tokenize(_ prompt: RenderedPrompt) throws(TokenizationError) -> [TokenID] {
        guard prompt.bytes.count <= limits.maximumTextBytes else {
            throw .textTooLong(bytes: prompt.bytes.count, maximumBytes: limits.maximumTextBytes)
        }
        var tokens: [TokenID] = []
        tokens.reserveCapacity(prompt.bytes.count / 3)
        if addsBeginOfSequence, let beginOfSequence { tokens.append(beginOfSequence) }
        var start = 0
        for occurrence in specialTokens.occurrences(in: prompt.bytes) {
            let special = specialTokens.tokens[occurrence.token]
            // Stripping may have gone past the beginning of a token made of white space.
            var text = prompt.bytes[start..<max(start, occurrence.range.lowerBound)]
            if special.stripsLeft { text = text.trimmingSuffix(while: isWhiteSpace) }
            try appendPlainTokens(of: text, mask: prompt.mask, to: &tokens)
            tokens.append(special.id)
            start = occurrence.range.upperBound
            while special.stripsRight && start < prompt.bytes.count
                && isWhiteSpace(prompt.bytes[start])
            { start += 1 }
        }
        try appendPlainTokens(of: prompt.bytes[start...], mask: prompt.mask, to: &tokens)
        if addsEndOfSequence, let endOfSequence { tokens.append(endOfSequence) }
        return tokens
    }

    private func appendPlainTokens(
        of text: ArraySlice<UInt8>, mask: ContentMask?, to tokens: inout [TokenID]
    ) throws(TokenizationError) {
        guard !text.isEmpty else { return }
        let first = tokens.count
        let plain = mask.map { $0.unmask(text)[...] } ?? text
        try appendTokens(of: plain, to: &tokens, addSpecial: false, parseSpecial: false)
        // A merge of plain text never makes a control token in the vocabularies we know, but
        // nothing in libllama forbids it. The unknown token is how some spell what they lack.
        for token in tokens[first...] where pieces.isControl(token) && !unknown.contains(token) {
            throw .controlTokenInText(token)
        }
    }
}

/// C's `isspace` in the C locale.
private func isWhiteSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0D).contains(byte)
}

extension ArraySlice<UInt8> {
    fileprivate func trimmingSuffix(while condition: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        var end = endIndex
        while end > startIndex && condition(self[end - 1]) { end -= 1 }
        return self[startIndex..<end]
    }
}
