extension BodyDescription {
    static let chat = BodyDescription(
        name: "ChatRequest", title: "Chat completions, `POST /v1/chat/completions`",
        fields: [
            .model,
            BodyField(
                "messages", Schema.array(ChatSchemas.message, min: 1, max: 8_192), .partly,
                "Text only: images, audio and files are refused.", isRequired: true),
            .stream, .streamOptions,
            BodyField(
                "max_completion_tokens", BodyField.tokenCount, .honoured,
                "Goes before `max_tokens`; without both to the context's end."),
            BodyField("max_tokens", BodyField.tokenCount),
            .n, .seed, .stop,
        ] + BodyField.sampling + [
            BodyField("logprobs", Schema.bool),
            BodyField(
                "top_logprobs", Schema.integer(0...BodyField.limits.topLogprobs), .honoured,
                "Only with `logprobs`."),
            BodyField(
                "tools", Schema.array(ChatSchemas.tool, max: 128), .partly,
                "Functions; tools of the server's own are refused."),
            BodyField(
                "tool_choice",
                Schema.oneOf(
                    Schema.word("none", "auto", "required", "any"),
                    Schema.object([
                        "type": Schema.constant("function"),
                        "function": Schema.object(["name": Schema.string]),
                    ]))),
            BodyField("parallel_tool_calls", Schema.bool),
            BodyField(
                "functions", Schema.array(Schema.anyObject, max: 128), .honoured,
                "The older form of `tools`."),
            BodyField(
                "function_call",
                Schema.oneOf(
                    Schema.word("none", "auto"), Schema.object(["name": Schema.string])),
                .honoured, "The older form of `tool_choice`."),
            BodyField(
                "response_format", ChatSchemas.responseFormat, .partly,
                "`text`, `json_object`, `json_schema`, `grammar` (GBNF); a schema that cannot be "
                    + "enforced is refused."),
            BodyField("reasoning_effort", BodyField.effort, .partly, "For models that have it."),
            .serviceTier, .promptCacheKey,
            BodyField(
                "deferred", Schema.bool, .partly,
                "Answered with a `request_id`; refused with `stream` or `n` above 1."),
            .user, .safetyIdentifier,
            BodyField("metadata", Schema.any, .ignored), BodyField("store", Schema.any, .ignored),
            .searchParameters,
            BodyField("web_search_options", Schema.null, .refused, "Nothing is searched here."),
        ])
}

/// Parts of chat completions.
enum ChatSchemas {
    static let message: JSONNode = Schema.oneOf(
        Schema.object([
            "role": Schema.word("system", "developer", "user"),
            "content": content, "name?": name,
        ]),
        Schema.object([
            "role": Schema.constant("assistant"),
            "content?": Schema.oneOf(content, Schema.null), "name?": name,
            "reasoning_content?": Schema.orNull(Schema.string),
            "tool_calls?": Schema.orNull(Schema.array(toolCall)),
        ]),
        Schema.object([
            "role": Schema.word("tool", "function"), "content": content,
            "tool_call_id?": name, "name?": name,
        ]))

    private static let content = Schema.text(types: "text", "input_text", min: 1)
    private static let name = Schema.orNull(Schema.string(max: 512))

    static let toolCall = Schema.object([
        "id": Schema.string, "type": Schema.constant("function"),
        "function": Schema.object(["name": Schema.string, "arguments": Schema.string]),
    ])

    static let tool = Schema.object([
        "type": Schema.constant("function"),
        "function": Schema.object([
            "name": ["type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"],
            "description?": Schema.orNull(Schema.string),
            "parameters?": Schema.orNull(Schema.anyObject),
            "strict?": Schema.orNull(Schema.bool),
        ]),
    ])

    static let responseFormat = Schema.oneOf(
        Schema.object(["type": Schema.word("text", "json_object")]),
        Schema.object([
            "type": Schema.constant("json_schema"),
            "json_schema": Schema.object([
                "name?": Schema.orNull(Schema.string), "schema": Schema.anyObject,
                "strict?": Schema.orNull(Schema.bool),
            ]),
        ]),
        Schema.object(["type": Schema.constant("grammar"), "grammar": Schema.string]))

    static let usage = Schema.object([
        "prompt_tokens": Schema.count, "completion_tokens": Schema.count,
        "total_tokens": Schema.count,
        "prompt_tokens_details?": Schema.object(["cached_tokens": Schema.count]),
        "completion_tokens_details?": Schema.object(["reasoning_tokens": Schema.count]),
    ])

    static let finishReason = Schema.word("stop", "length", "tool_calls", "content_filter")
    private static let token: JSONNode = [
        "type": "object",
        "properties": [
            "token": Schema.string, "logprob": Schema.number,
            "bytes": Schema.array(Schema.integer(0...255)),
            "top_logprobs": Schema.array(Schema.anyObject),
        ],
        "required": ["token", "logprob", "bytes", "top_logprobs"],
    ]

    static let completion = Schema.object([
        "id": Schema.string, "object": Schema.constant("chat.completion"),
        "created": Schema.count, "model": Schema.string,
        "choices": Schema.array(
            Schema.object([
                "index": Schema.count,
                "message": Schema.object([
                    "role": Schema.constant("assistant"),
                    "content": Schema.orNull(Schema.string),
                    "reasoning_content?": Schema.orNull(Schema.string),
                    "tool_calls?": Schema.orNull(Schema.array(toolCall, min: 1)),
                    "refusal?": Schema.null,
                ]),
                "logprobs?": Schema.orNull(Schema.object(["content": Schema.array(token)])),
                "finish_reason": finishReason,
            ]), min: 1),
        "usage": usage, "system_fingerprint?": Schema.string, "service_tier?": Schema.string,
    ])

    /// Of `deferred: true`.
    static let deferred = Schema.object(["request_id": Schema.string])
}
