extension BodyDescription {
    static let responses = BodyDescription(
        name: "ResponsesRequest", title: "Responses, `POST /v1/responses`",
        fields: [
            .model,
            BodyField(
                "input",
                Schema.oneOf(
                    Schema.string, Schema.array(ResponsesSchemas.item, min: 1, max: 8_192)),
                .partly,
                "Messages, calls, their outputs and reasoning, of text; other items are refused.",
                isRequired: true),
            BodyField("instructions", Schema.string, .honoured, "A system message."),
            .stream, .streamOptions,
            BodyField("max_output_tokens", BodyField.tokenCount, .honoured, "With reasoning."),
            BodyField(
                "previous_response_id", Schema.string(max: 512), .honoured,
                "The turns of a stored response come first."),
            BodyField("store", Schema.bool, .honoured, "True unless told."),
            BodyField("background", Schema.bool, .partly, "Where it is served."),
            .seed, .stop, .serviceTier, .promptCacheKey,
        ] + BodyField.sampling + [
            BodyField(
                "tools", Schema.array(ResponsesSchemas.tool, max: 128), .partly,
                "Functions; tools of the server's own are refused."),
            BodyField("tool_choice", ResponsesSchemas.toolChoice),
            BodyField("parallel_tool_calls", Schema.bool),
            BodyField("max_tool_calls", BodyField.tokenCount, .ignored, "Counts built-in tools."),
            BodyField("text", ResponsesSchemas.text, .partly, "As `response_format` of chat."),
            BodyField(
                "reasoning",
                Schema.object([
                    "effort?": Schema.orNull(BodyField.effort),
                    "summary?": Schema.orNull(Schema.word("auto", "concise", "detailed")),
                ])),
            BodyField("top_logprobs", Schema.integer(0...BodyField.limits.topLogprobs)),
            BodyField(
                "include", Schema.array(Schema.string), .partly,
                "`message.output_text.logprobs`; others ask for nothing that is here."),
            BodyField("metadata", Schema.anyObject, .honoured, "Given back as it came."),
            .user, .safetyIdentifier, .searchParameters,
            BodyField("n", Schema.any, .ignored),
            BodyField(
                "conversation", Schema.null, .refused, "`previous_response_id` does it here."),
            BodyField("prompt", Schema.null, .refused, "Prompt templates are not kept."),
        ])
}

enum ResponsesSchemas {
    private static let parts = Schema.text(
        types: "input_text", "output_text", "text", "summary_text", "reasoning_text")

    static let item: JSONNode = Schema.oneOf(
        Schema.object([
            "type?": Schema.orNull(["const": "message"]),
            "role": Schema.word("user", "assistant", "system", "developer"), "content": parts,
        ]),
        Schema.object([
            "type": Schema.constant("function_call"), "call_id": Schema.string,
            "name": Schema.string, "arguments": Schema.string,
        ]),
        Schema.object([
            "type": Schema.constant("function_call_output"), "call_id": Schema.string,
            "output": parts,
        ]),
        Schema.object([
            "type": Schema.constant("reasoning"), "summary?": Schema.orNull(parts),
            "content?": Schema.orNull(parts),
        ]))

    static let tool = Schema.object([
        "type": Schema.constant("function"), "name": Schema.string(max: 512, min: 1),
        "description?": Schema.orNull(Schema.string),
        "parameters?": Schema.orNull(Schema.anyObject), "strict?": Schema.orNull(Schema.bool),
    ])

    static let toolChoice = Schema.oneOf(
        Schema.word("none", "auto", "required"),
        Schema.object(["type": Schema.constant("function"), "name": Schema.string]),
        Schema.object([
            "type": Schema.constant("allowed_tools"),
            "mode": Schema.word("none", "auto", "required"),
            "tools": Schema.array(Schema.object(["name": Schema.string])),
        ]))

    static let text = Schema.object([
        "format?": Schema.orNull(
            Schema.oneOf(
                Schema.object(["type": Schema.word("text", "json_object")]),
                Schema.object([
                    "type": Schema.constant("json_schema"), "name": Schema.string,
                    "schema": Schema.anyObject, "strict?": Schema.orNull(Schema.bool),
                ]))),
        "verbosity?": Schema.orNull(Schema.word("low", "medium", "high")),
    ])

    private static let outputItem = Schema.oneOf(
        Schema.object([
            "id": Schema.string, "type": Schema.constant("message"),
            "role": Schema.constant("assistant"), "status": Schema.string,
            "content": Schema.array(
                Schema.object([
                    "type": Schema.constant("output_text"), "text": Schema.string,
                    "annotations": Schema.array(Schema.any),
                ])),
        ]),
        Schema.object([
            "id": Schema.string, "type": Schema.constant("function_call"),
            "call_id": Schema.string, "name": Schema.string, "arguments": Schema.string,
        ]),
        Schema.object([
            "id": Schema.string, "type": Schema.constant("reasoning"),
            "summary": Schema.array(
                Schema.object(["type": Schema.string, "text": Schema.string])),
        ]))

    static let response = Schema.object([
        "id": Schema.string, "object": Schema.constant("response"), "created_at": Schema.count,
        "status": Schema.word(
            "completed", "incomplete", "failed", "in_progress", "queued", "cancelled"),
        "model": Schema.string, "output": Schema.array(outputItem),
        "error": Schema.orNull(
            Schema.object(["code": Schema.string, "message": Schema.string])),
        "incomplete_details": Schema.orNull(Schema.object(["reason": Schema.string])),
        "instructions": Schema.orNull(Schema.string),
        "previous_response_id": Schema.orNull(Schema.string), "store": Schema.bool,
        "temperature": Schema.number, "top_p": Schema.number, "text": Schema.anyObject,
        "tools": Schema.array(Schema.anyObject), "tool_choice": Schema.any,
        "parallel_tool_calls": Schema.bool, "metadata": Schema.anyObject,
        "usage": Schema.orNull(
            Schema.object([
                "input_tokens": Schema.count, "output_tokens": Schema.count,
                "total_tokens": Schema.count,
                "input_tokens_details": Schema.object(["cached_tokens": Schema.count]),
                "output_tokens_details": Schema.object(["reasoning_tokens": Schema.count]),
            ])),
    ])

    static let items = Schema.object([
        "object": Schema.constant("list"), "data": Schema.array(Schema.anyObject),
        "first_id": Schema.orNull(Schema.string), "last_id": Schema.orNull(Schema.string),
        "has_more": Schema.bool,
    ])

    static let deleted = Schema.object([
        "id": Schema.string, "object": Schema.string, "deleted": Schema.bool,
    ])
}
