/// Fields that several bodies have, by the name of the decoder's shared ones (`SharedField`).
extension BodyField {
    static let limits = ChatRequestLimits()

    static let model = BodyField(
        "model", Schema.string(max: limits.nameBytes, min: 1), .honoured,
        "A model's name, an alias, or a split's name.", isRequired: true)
    static let stream = BodyField("stream", Schema.bool, .honoured, "Answer with events.")
    static let n = BodyField(
        "n", Schema.integer(1...limits.choices), .honoured, "Choices; each is a ticket of its own.")
    static let seed = BodyField("seed", Schema.integer, .honoured, "Also negative ones.")
    static let stop = BodyField(
        "stop",
        Schema.oneOf(
            Schema.string(max: limits.stopStringBytes, min: 1),
            Schema.array(
                Schema.string(max: limits.stopStringBytes, min: 1), max: limits.stopStrings)),
        .honoured, "Up to 16 strings, found in visible text only and not part of it.")
    static let user = BodyField(
        "user", Schema.string(max: limits.nameBytes), .ignored, "Kept for logs.")
    static let safetyIdentifier = BodyField(
        "safety_identifier", Schema.string(max: limits.nameBytes), .ignored, "As `user`.")
    static let streamOptions = BodyField(
        "stream_options", Schema.object(["include_usage?": Schema.orNull(Schema.bool)]),
        .honoured, "`include_usage`: a last chunk with usage.")
    static let serviceTier = BodyField(
        "service_tier", Schema.word("auto", "default", "priority", "batch"), .honoured,
        "The tier's place in the queue; the answer names the tier used.")
    static let promptCacheKey = BodyField(
        "prompt_cache_key", Schema.string(max: limits.nameBytes), .honoured,
        "Requests with an equal key go to the worker that holds their prefix.")

    /// How tokens are chosen.
    static let sampling: [BodyField] = [
        BodyField("temperature", Schema.number(0...2), .honoured, "0: always the likeliest."),
        BodyField("top_p", Schema.number(0...1)),
        BodyField("top_k", Schema.integer(-1...Int(Int32.max)), .honoured, "-1 and 0: off."),
        BodyField("min_p", Schema.number(0...1)),
        BodyField("frequency_penalty", Schema.number(-2...2)),
        BodyField("presence_penalty", Schema.number(-2...2)),
        BodyField("repetition_penalty", Schema.number(0.01...10), .honoured, "1: off."),
        BodyField(
            "logit_bias",
            [
                "type": "object", "maxProperties": .integer(limits.logitBiases),
                "propertyNames": ["pattern": "^(0|[1-9][0-9]{0,8})$"],
                "additionalProperties": Schema.number(-100...100),
            ], .honoured, "By token id."),
        BodyField(
            "ignore_eos", Schema.bool, .honoured, "Go on past the end of a turn (benchmarks)."),
        BodyField(
            "min_tokens", Schema.integer(0...Int(Int32.max)), .honoured,
            "No end before so many tokens."),
    ]

    static let effort = Schema.word("none", "minimal", "low", "medium", "high", "xhigh")
    static let tokenCount = Schema.integer(1...Int(Int32.max))
    static let searchParameters = BodyField(
        "search_parameters",
        Schema.object(["mode?": Schema.orNull(Schema.word("off", "auto", "on"))]), .partly,
        "`off` and `auto`; `on` is refused: nothing is searched here.")

    static func required(_ field: BodyField) -> BodyField {
        BodyField(field.name, field.schema, field.verdict, field.note, isRequired: true)
    }
}

extension Schema {
    /// A string, or parts of text that are joined.
    static func text(types: String..., min: Int = 0) -> JSONNode {
        oneOf(
            string,
            array(
                object([
                    "type": ["type": "string", "enum": .array(types.map { .string($0) })],
                    "text": string,
                ]), min: min, max: ChatRequestLimits().contentParts))
    }

    /// A text that is not empty.
    static let words: JSONNode = ["type": "string", "minLength": 1]
    static let tokens = array(integer(0...Int(Int32.max)), min: 1)
    /// The prompt of a completion, or the input of an embedding.
    static func prompts(max: Int, text: JSONNode) -> JSONNode {
        oneOf(text, array(text, min: 1, max: max), tokens, array(tokens, min: 1, max: max))
    }
}
