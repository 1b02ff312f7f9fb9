extension BodyDescription {
    static let completions = BodyDescription(
        name: "CompletionsRequest", title: "Completions, `POST /v1/completions`",
        fields: [
            .model,
            BodyField(
                "prompt", Schema.prompts(max: BodyField.limits.choices, text: Schema.words),
                .honoured,
                "Texts or token ids; nothing is put around them.", isRequired: true),
            .stream, .streamOptions,
            BodyField(
                "max_tokens", BodyField.tokenCount, .honoured, "Without it to the context's end."),
            .n,
            BodyField(
                "best_of", Schema.integer(1...BodyField.limits.choices), .partly, "Only `n`."),
            BodyField(
                "logprobs", Schema.integer(0...5), .partly, "Of the answer, not with `echo`."),
            BodyField("echo", Schema.bool, .partly, "For prompts that are texts."),
            BodyField("suffix", Schema.constant(""), .refused, "Text is not inserted."),
            .seed, .stop, .serviceTier, .promptCacheKey, .user, .safetyIdentifier,
        ] + BodyField.sampling)

    static let embeddings = BodyDescription(
        name: "EmbeddingsRequest", title: "Embeddings, `POST /v1/embeddings`",
        fields: [
            .model,
            BodyField(
                "input",
                Schema.prompts(max: EmbeddingsLimits().inputs, text: Schema.words),
                .honoured, "Texts or token ids.", isRequired: true),
            BodyField("encoding_format", Schema.word("float", "base64")),
            BodyField(
                "dimensions", Schema.integer(1...EmbeddingsLimits().dimensions), .partly,
                "Only as many as the model's vectors have."),
            .user,
        ])

    static let tokenizeText = BodyDescription(
        name: "TokenizeTextRequest", title: "Tokens of a text, `POST /v1/tokenize-text`",
        fields: [.model, BodyField("text", Schema.string, isRequired: true)])

    /// All that the documents tell of.
    package static let all: [BodyDescription] = [
        .chat, .responses, .messages, .countTokens, .completions, .complete, .embeddings,
        .tokenizeText,
    ]
}

/// `components/schemas`.
enum OpenAPISchemas {
    static let all: [JSONNode.Member] =
        BodyDescription.all.map { JSONNode.Member($0.name, $0.schema) } + [
            .init("ChatCompletion", ChatSchemas.completion),
            .init("Response", ResponsesSchemas.response),
            .init("Message", MessagesSchemas.answer),
            .init("Completion", completion),
            .init("Embeddings", embeddings),
            .init("Model", model),
            .init("LanguageModel", languageModel),
            .init("EmbeddingModel", embeddingModel),
            .init("APIKey", apiKey),
            .init("File", file),
            .init("Batch", batch),
            .init(
                "Error",
                Schema.object([
                    "error": Schema.object([
                        "message": Schema.string, "type": Schema.string,
                        "param": Schema.orNull(Schema.string),
                        "code": Schema.orNull(Schema.string),
                    ])
                ])),
            .init(
                "AnthropicError",
                Schema.object([
                    "type": Schema.constant("error"),
                    "error": Schema.object(["type": Schema.string, "message": Schema.string]),
                    "request_id?": Schema.string,
                ])),
        ]

    private static let completion = Schema.object([
        "id": Schema.string, "object": Schema.constant("text_completion"),
        "created": Schema.count, "model": Schema.string,
        "choices": Schema.array(
            Schema.object([
                "text": Schema.string, "index": Schema.count,
                "logprobs": Schema.orNull(Schema.anyObject),
                "finish_reason": ChatSchemas.finishReason,
            ]), min: 1),
        "usage": ChatSchemas.usage,
    ])

    private static let embeddings = Schema.object([
        "object": Schema.constant("list"), "model": Schema.string,
        "data": Schema.array(
            Schema.object([
                "object": Schema.constant("embedding"), "index": Schema.count,
                "embedding": Schema.oneOf(Schema.array(Schema.number), Schema.string),
            ]), min: 1),
        "usage": Schema.object(["prompt_tokens": Schema.count, "total_tokens": Schema.count]),
    ])

    private static let model = Schema.object([
        "id": Schema.string, "object": Schema.constant("model"), "created": Schema.count,
        "owned_by": Schema.string,
    ])

    private static let languageModel = Schema.object([
        "id": Schema.string, "object": Schema.constant("model"), "created": Schema.count,
        "owned_by": Schema.string, "version": Schema.string, "fingerprint": Schema.string,
        "aliases": Schema.array(Schema.string), "input_modalities": Schema.array(Schema.string),
        "output_modalities": Schema.array(Schema.string), "max_prompt_length?": Schema.count,
        "prompt_text_token_price": Schema.count, "completion_text_token_price": Schema.count,
    ])

    private static let embeddingModel = Schema.object([
        "id": Schema.string, "object": Schema.constant("model"), "created": Schema.count,
        "owned_by": Schema.string, "version": Schema.string, "fingerprint": Schema.string,
        "aliases": Schema.array(Schema.string), "input_modalities": Schema.array(Schema.string),
        "prompt_text_token_price": Schema.count, "prompt_image_token_price": Schema.count,
    ])

    private static let apiKey = Schema.object([
        "redacted_api_key": Schema.string, "user_id": Schema.string, "name": Schema.string,
        "create_time": Schema.string, "modify_time": Schema.string,
        "modified_by": Schema.string, "team_id": Schema.string,
        "acls": Schema.array(Schema.string), "api_key_id": Schema.string,
        "team_blocked": Schema.bool, "api_key_blocked": Schema.bool,
        "api_key_disabled": Schema.bool,
    ])

    static let caller = Schema.object([
        "user_id": Schema.string, "team_id": Schema.string, "team_blocked": Schema.bool,
        "zdr_status": Schema.string, "api_key": Schema.reference("APIKey"),
    ])

    static let tokens = Schema.object([
        "token_ids": Schema.array(
            Schema.object([
                "token_id": Schema.count, "string_token": Schema.string,
                "token_bytes": Schema.array(Schema.integer(0...255)),
            ]))
    ])

    private static let file = Schema.object([
        "id": Schema.string, "object": Schema.constant("file"), "bytes": Schema.count,
        "created_at": Schema.count, "expires_at?": Schema.orNull(Schema.count),
        "filename": Schema.string, "purpose": Schema.string,
    ])

    static let upload = Schema.object([
        "file": ["type": "string", "contentMediaType": "application/octet-stream"],
        "purpose?": Schema.string, "expires_after?": Schema.any,
    ])

    private static let batch = Schema.object([
        "batch_id": Schema.string, "name": Schema.string, "create_time": Schema.string,
        "expire_time?": Schema.orNull(Schema.string),
        "cancel_time?": Schema.orNull(Schema.string),
        "state": Schema.object([
            "num_requests": Schema.count, "num_pending": Schema.count,
            "num_success": Schema.count, "num_error": Schema.count,
            "num_cancelled": Schema.count,
        ]),
    ])

    static let newBatch = Schema.object([
        "name?": Schema.orNull(Schema.string(max: 512)),
        "input_file_id?": Schema.orNull(Schema.string(max: 512)),
    ])

    /// Of each request only its model is looked at before its turn comes.
    static let batchRequests = Schema.object([
        "batch_requests": Schema.array(
            Schema.object([
                "batch_request_id?": Schema.orNull(Schema.string(max: 512)),
                "batch_request": Schema.object([
                    "chat_get_completion": Schema.object(["model?": Schema.any])
                ]),
            ]))
    ])

    static let batchRequestList = Schema.object([
        "batch_request_metadata": Schema.array(
            Schema.object(["batch_request_id": Schema.string])),
        "pagination_token": Schema.orNull(Schema.string),
    ])

    static let batchResults = Schema.object([
        "results": Schema.array(
            Schema.object([
                "batch_request_id": Schema.string, "batch_result": Schema.anyObject,
            ])),
        "pagination_token": Schema.orNull(Schema.string),
    ])
}
