internal import CLlama
internal import InferenceTypes

/// Makes grammars for one model.
@safe struct GrammarSource {
    fileprivate let vocabulary: OpaquePointer
    fileprivate let limits: GrammarLimits

    /// `vocabulary` must stay valid as long as the source and its grammars.
    init(vocabulary: OpaquePointer, limits: GrammarLimits = GrammarLimits()) {
        unsafe self.vocabulary = vocabulary
        self.limits = limits
    }
}

/// A grammar's state within one output: which tokens may come next. Used by one thread at a time.
///
/// The library aborts, or throws an exception that would cross into Swift, when it must accept a
/// token that the grammar does not admit. So every token is tried before it is accepted.
@safe struct Grammar: ~Copyable {
    private let sampler: UnsafeMutablePointer<llama_sampler>
    private let limits: GrammarLimits

    init(_ text: String, source: GrammarSource) throws(GrammarError) {
        for name in try GrammarCheck.validate(text, limits: source.limits) {
            var token: TokenID = 0
            // 1: exactly one token; negative: more would be needed.
            let count = unsafe llama_tokenize(
                source.vocabulary, name, Int32(name.utf8.count), &token, 1, false, true)
            guard count == 1 else { throw .unknownToken(name) }
        }
        guard let sampler = unsafe llama_sampler_init_grammar(source.vocabulary, text, "root")
        else { throw .rejected }
        unsafe self.sampler = sampler
        limits = source.limits
    }

    deinit { unsafe llama_sampler_free(sampler) }

    /// Whether `token` may come next.
    func admits(_ token: TokenID) throws(GrammarError) -> Bool {
        var datum = llama_token_data(id: token, logit: 0, p: 0)
        try unsafe apply(&datum, count: 1)
        return datum.logit == 0
    }

    /// Moves on by a token; throws `outputMismatch` when it may not come next.
    mutating func accept(_ token: TokenID) throws(GrammarError) {
        guard try admits(token) else { throw .outputMismatch }
        let start = ThreadTime.now()
        unsafe llama_sampler_accept(sampler, token)
        try checkTime(since: start)
    }

    /// The first of `tokens` that may come next.
    func firstAdmitted(of tokens: [TokenID]) throws(GrammarError) -> TokenID? {
        var data = tokens.map { llama_token_data(id: $0, logit: 0, p: 0) }
        try unsafe apply(&data, count: data.count)
        return data.first { $0.logit == 0 }?.id
    }

    /// Sets the logits of all tokens that may not come next to -infinity.
    func mask(_ row: LogitRow) throws(GrammarError) {
        var data: [llama_token_data] = []
        data.reserveCapacity(row.count)
        for token in 0..<row.count where row[token] > -.infinity {
            data.append(llama_token_data(id: TokenID(token), logit: 0, p: 0))
        }
        try unsafe apply(&data, count: data.count)
        for datum in data where datum.logit != 0 { row[Int(datum.id)] = -.infinity }
    }

    private func apply(
        _ data: UnsafeMutablePointer<llama_token_data>, count: Int
    ) throws(GrammarError) {
        let start = ThreadTime.now()
        var array = unsafe llama_token_data_array(
            data: data, size: count, selected: -1, sorted: false)
        unsafe llama_sampler_apply(sampler, &array)
        try checkTime(since: start)
    }

    private func checkTime(since start: Int64) throws(GrammarError) {
        guard ThreadTime.now() - start <= limits.checkNanosecondsMax else { throw .tooAmbiguous }
    }
}
