extension BodyDescription {
    private static let stopSequences = BodyField(
        "stop_sequences",
        Schema.array(
            Schema.string(max: BodyField.limits.stopStringBytes, min: 1),
            max: BodyField.limits.stopStrings))
    private static let metadata = BodyField(
        "metadata", Schema.object(["user_id?": Schema.orNull(Schema.string(max: 512))]),
        .ignored, "`user_id` is kept for logs.")
    /// Those of other faces.
    private static let notOfHere: [BodyField] = ["n", "stop", "user", "stream_options"].map {
        BodyField($0, Schema.any, .ignored, "Of other APIs.")
    }
    private static let serviceTier = BodyField(
        "service_tier", Schema.word("auto", "standard_only"), .partly,
        "`standard_only` is the tier `default`.")

    static let messages = BodyDescription(
        name: "MessagesRequest", title: "Messages, `POST /v1/messages`",
        fields: messageFields(isCounting: false))

    static let countTokens = BodyDescription(
        name: "CountTokensRequest",
        title: "Token counts, `POST /v1/messages/count_tokens`",
        fields: messageFields(isCounting: true))

    private static func messageFields(isCounting: Bool) -> [BodyField] {
        [
            .model,
            BodyField(
                "max_tokens", BodyField.tokenCount, isCounting ? .ignored : .honoured,
                isRequired: !isCounting),
            BodyField(
                "messages", Schema.array(MessagesSchemas.message, min: 1, max: 8_192), .partly,
                "Text, tool use and results, thinking; images and documents are refused, and so "
                    + "is a last message of the assistant.", isRequired: true),
            BodyField("system", Schema.text(types: "text")),
            .stream, stopSequences,
            BodyField(
                "tools", Schema.array(MessagesSchemas.tool, max: 128), .partly,
                "With a schema of their own; tools of the server's are refused."),
            BodyField("tool_choice", MessagesSchemas.toolChoice),
            BodyField(
                "thinking",
                Schema.object([
                    "type?": Schema.orNull(Schema.word("enabled", "adaptive", "disabled"))
                ]),
                .partly, "`disabled` for models that can; a budget is not kept."),
            BodyField(
                "output_config",
                Schema.object([
                    "effort?": Schema.orNull(
                        Schema.word("low", "medium", "high", "xhigh", "max")),
                    "format?": Schema.orNull(MessagesSchemas.outputFormat),
                ])),
            BodyField("output_format", MessagesSchemas.outputFormat, .honoured, "The older form."),
            serviceTier, metadata,
            BodyField(
                "mcp_servers", Schema.array(Schema.any, max: 0), .refused,
                "This server calls no tools itself."),
            .seed, .promptCacheKey, .safetyIdentifier,
        ] + BodyField.sampling + notOfHere
    }

    static let complete = BodyDescription(
        name: "CompleteRequest", title: "Anthropic's text completions, `POST /v1/complete`",
        fields: [
            .model,
            BodyField("prompt", ["type": "string", "minLength": 1], isRequired: true),
            BodyField("max_tokens_to_sample", BodyField.tokenCount, isRequired: true),
            .stream, stopSequences, metadata, .seed, .promptCacheKey, .safetyIdentifier,
            BodyField("service_tier", Schema.any, .ignored),
        ] + BodyField.sampling + notOfHere)
}

enum MessagesSchemas {
    private static let text = Schema.object([
        "type": Schema.constant("text"), "text": Schema.string,
    ])

    private static func content(_ blocks: JSONNode...) -> JSONNode {
        Schema.oneOf(
            Schema.string,
            Schema.array(["anyOf": .array(blocks)], min: 1, max: ChatRequestLimits().contentParts))
    }

    static let message = Schema.oneOf(
        Schema.object([
            "role": Schema.constant("user"),
            "content": content(
                text,
                Schema.object([
                    "type": Schema.constant("tool_result"), "tool_use_id": Schema.string,
                    "content?": Schema.orNull(Schema.text(types: "text")),
                ])),
        ]),
        Schema.object([
            "role": Schema.constant("assistant"),
            "content": content(
                text,
                Schema.object([
                    "type": Schema.constant("tool_use"), "id": Schema.string,
                    "name": Schema.string, "input": Schema.anyObject,
                ]),
                Schema.object(["type": Schema.constant("thinking"), "thinking": Schema.string]),
                Schema.object(["type": Schema.constant("redacted_thinking")])),
        ]),
        Schema.object(["role": Schema.constant("system"), "content": content(text)]))

    static let tool = Schema.object([
        "type?": Schema.orNull(["const": "custom"]), "name": Schema.string(max: 512, min: 1),
        "description?": Schema.orNull(Schema.string), "input_schema": Schema.anyObject,
    ])

    static let toolChoice = Schema.oneOf(
        Schema.object([
            "type": Schema.word("auto", "any", "none"),
            "disable_parallel_tool_use?": Schema.orNull(Schema.bool),
        ]),
        Schema.object(["type": Schema.constant("tool"), "name": Schema.string]))

    static let outputFormat = Schema.object([
        "type?": Schema.orNull(["const": "json_schema"]), "schema": Schema.anyObject,
    ])

    static let answer = Schema.object([
        "id": Schema.string, "type": Schema.constant("message"),
        "role": Schema.constant("assistant"), "model": Schema.string,
        "content": Schema.array(Schema.object(["type": Schema.string])),
        "stop_reason": Schema.word(
            "end_turn", "max_tokens", "stop_sequence", "tool_use",
            "model_context_window_exceeded"),
        "stop_sequence": Schema.orNull(Schema.string),
        "usage": Schema.object([
            "input_tokens": Schema.count, "output_tokens": Schema.count,
            "cache_creation_input_tokens": Schema.count,
            "cache_read_input_tokens": Schema.count,
        ]),
    ])

    static let tokenCount = Schema.object(["input_tokens": Schema.count])

    static let completion = Schema.object([
        "type": Schema.constant("completion"), "id": Schema.string, "completion": Schema.string,
        "stop_reason": Schema.word("stop_sequence", "max_tokens"),
        "stop": Schema.orNull(Schema.string), "model": Schema.string,
    ])
}
