/// What each row of the endpoint table is for.
extension Endpoint.Operation {
    var openAPI: OperationDescription {
        switch self {
        case .chatCompletions, .responses, .messages, .completions, .complete, .countTokens,
            .embeddings, .tokenizeText:
            generating
        case .deferredCompletion, .response, .deleteResponse, .cancelResponse,
            .responseInputItems, .compactResponse:
            stored
        case .createFile, .files, .file, .deleteFile, .fileContent: ofFiles
        case .createBatch, .batches, .batch, .cancelBatch, .addBatchRequests, .batchRequests,
            .batchResults:
            ofBatches
        case .models, .model, .languageModels, .languageModel, .embeddingModels,
            .imageGenerationModels, .apiKey, .me, .openAPI, .health:
            listing
        }
    }

    private static func answer(_ name: String) -> OperationDescription.Answer {
        .json(Schema.reference(name))
    }

    private static func answerOrEvents(_ name: String) -> OperationDescription.Answer {
        .jsonOrEvents(Schema.reference(name))
    }

    private var generating: OperationDescription {
        switch self {
        case .chatCompletions:
            OperationDescription(
                "Complete a chat (OpenAI, xAI)", .generating,
                answer: .jsonOrEvents(
                    Schema.oneOf(Schema.reference("ChatCompletion"), ChatSchemas.deferred))
            ).generating("ChatRequest")
        case .responses:
            OperationDescription(
                "Create a response (OpenAI, xAI)", .generating,
                answer: Self.answerOrEvents("Response")
            ).generating("ResponsesRequest").finding()
        case .messages:
            OperationDescription(
                "Create a message (Anthropic)", .generating,
                answer: Self.answerOrEvents("Message")
            ).generating("MessagesRequest").anthropic()
        case .countTokens:
            OperationDescription(
                "Count the tokens of a message (Anthropic)", .generating,
                answer: .json(MessagesSchemas.tokenCount)
            ).generating("CountTokensRequest").anthropic()
        case .completions:
            OperationDescription(
                "Complete a text (OpenAI, legacy)", .generating,
                answer: Self.answerOrEvents("Completion")
            ).generating("CompletionsRequest")
        case .complete:
            OperationDescription(
                "Complete a text (Anthropic, legacy)", .generating,
                answer: .jsonOrEvents(MessagesSchemas.completion)
            ).generating("CompleteRequest").anthropic()
        case .embeddings:
            OperationDescription(
                "Embed texts (OpenAI)", .generating, answer: Self.answer("Embeddings")
            ).generating("EmbeddingsRequest")
        default:
            OperationDescription(
                "Cut a text into a model's tokens (xAI)", .generating,
                answer: .json(OpenAPISchemas.tokens)
            ).generating("TokenizeTextRequest")
        }
    }

    private var stored: OperationDescription {
        let id = "A response's id."
        switch self {
        case .deferredCompletion:
            return OperationDescription(
                "Fetch a deferred completion (xAI)", .stored, id: "Its `request_id`.",
                answer: Self.answer("ChatCompletion")
            ).also(202, "There is none yet.", .none).finding()
        case .response:
            return OperationDescription(
                "Fetch a stored response", .stored, id: id, answer: Self.answerOrEvents("Response")
            ).with(
                .init(
                    name: "stream", place: .query, schema: Schema.bool,
                    description: "Answer with the response's events."),
                .init(
                    name: "starting_after", place: .query, schema: Schema.count,
                    description: "Only events behind this sequence number.")
            ).finding()
        case .deleteResponse:
            return OperationDescription(
                "Delete a stored response", .stored, id: id, answer: .json(ResponsesSchemas.deleted)
            ).finding()
        case .cancelResponse:
            return OperationDescription(
                "Cancel a response in the background", .stored, id: id,
                answer: Self.answer("Response")
            ).finding()
        case .responseInputItems:
            return OperationDescription(
                "List the input of a stored response", .stored, id: id,
                answer: .json(ResponsesSchemas.items)
            ).with(
                .init(
                    name: "limit", place: .query, schema: Schema.integer(1...100),
                    description: "Items of a page, 20 unless told."),
                .init(
                    name: "after", place: .query, schema: Schema.string,
                    description: "The last item of the page before."),
                .init(
                    name: "order", place: .query, schema: Schema.word("asc", "desc"),
                    description: "`desc`, newest first, unless told.")
            ).finding()
        default:
            return OperationDescription(
                "Compact a conversation; not served", .stored, answer: .none
            ).finding()
        }
    }

    private static let pages: [OperationDescription.Parameter] = [
        .init(
            name: "limit", place: .query, schema: Schema.integer(1...1_000),
            description: "Entries of a page."),
        .init(
            name: "pagination_token", place: .query,
            schema: ["type": "string", "pattern": "^[1-9][0-9]{0,17}$"],
            description: "Of the page before."),
    ]

    private var ofFiles: OperationDescription {
        switch self {
        case .createFile:
            return OperationDescription(
                "Upload a file", .batches, answer: Self.answer("File")
            ).taking(.multipart(OpenAPISchemas.upload))
        case .files:
            return OperationDescription(
                "List files", .batches,
                answer: .json(
                    Schema.object(["data": Schema.array(Schema.reference("File"))]))
            ).with(Self.pages[0], Self.pages[1])
        case .file:
            return OperationDescription(
                "What is known of a file", .batches, id: "A file's id.",
                answer: Self.answer("File")
            ).finding()
        case .deleteFile:
            return OperationDescription(
                "Delete a file", .batches, id: "A file's id.",
                answer: .json(ResponsesSchemas.deleted)
            ).finding()
        default:
            return OperationDescription(
                "A file's content", .batches, id: "A file's id.", answer: .bytes
            ).finding()
        }
    }

    private var ofBatches: OperationDescription {
        let id = "A batch's id."
        switch self {
        case .createBatch:
            return OperationDescription(
                "Create a batch (xAI)", .batches, answer: Self.answer("Batch")
            ).taking(.json(OpenAPISchemas.newBatch)).finding()
        case .batches:
            return OperationDescription(
                "List batches", .batches,
                answer: .json(
                    Schema.object([
                        "batches": Schema.array(Schema.reference("Batch")),
                        "pagination_token?": Schema.orNull(Schema.string),
                    ]))
            ).with(Self.pages[0], Self.pages[1])
        case .batch:
            return OperationDescription(
                "How far a batch is", .batches, id: id, answer: Self.answer("Batch")
            ).finding()
        case .cancelBatch:
            return OperationDescription(
                "Cancel a batch", .batches, id: id, answer: Self.answer("Batch")
            ).finding()
        case .addBatchRequests:
            return OperationDescription(
                "Add requests to a batch", .batches, id: id, answer: .json(Schema.anyObject)
            ).taking(.json(OpenAPISchemas.batchRequests)).finding()
        default:
            return OperationDescription(
                self == .batchRequests ? "A batch's requests" : "A batch's results", .batches,
                id: id,
                answer: .json(
                    self == .batchRequests
                        ? OpenAPISchemas.batchRequestList : OpenAPISchemas.batchResults)
            ).with(Self.pages[0], Self.pages[1]).finding()
        }
    }

    private var listing: OperationDescription {
        switch self {
        case .models:
            return OperationDescription(
                "List models (OpenAI)", .listings,
                answer: .json(Schema.list(Schema.reference("Model"))))
        case .model:
            var description = OperationDescription(
                "One model", .listings, id: "A model's name or alias; it may hold slashes.",
                answer: Self.answer("Model"))
            description.errors = [.modelNotFound]
            return description
        case .languageModels:
            return OperationDescription(
                "List language models (xAI)", .listings, answer: .json(models("LanguageModel")))
        case .languageModel:
            var description = OperationDescription(
                "One language model", .listings, id: "Its name or alias; it may hold slashes.",
                answer: Self.answer("LanguageModel"))
            description.errors = [.modelNotFound]
            return description
        case .embeddingModels:
            return OperationDescription(
                "List models that embed (xAI)", .listings, answer: .json(models("EmbeddingModel")))
        case .imageGenerationModels:
            return OperationDescription(
                "List models that paint: none", .listings,
                answer: .json(Schema.object(["models": Schema.array(Schema.any, max: 0)])))
        case .apiKey:
            return OperationDescription(
                "What is known of the caller's key", .listings, answer: Self.answer("APIKey"))
        case .me:
            return OperationDescription(
                "Who the caller is", .listings, answer: .json(OpenAPISchemas.caller))
        case .openAPI:
            return OperationDescription(
                "This document", .listings,
                answer: .json(Schema.object(["openapi": Schema.string])))
        default:
            var description = OperationDescription(
                "Whether a token can be generated", .listings,
                answer: .json(Schema.object(["status": Schema.constant("ok")])))
            description.isPublic = true
            description.errors = [.noWorker]
            return description
        }
    }

    private func models(_ name: String) -> JSONNode {
        Schema.object(["models": Schema.array(Schema.reference(name))])
    }
}
