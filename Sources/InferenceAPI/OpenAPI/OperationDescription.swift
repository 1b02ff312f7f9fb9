/// What one row of the endpoint table does, as `/openapi.json` tells it.
struct OperationDescription {
    enum Tag: String, CaseIterable {
        case generating = "Generating"
        case stored = "Stored answers"
        case batches = "Files and batches"
        case listings = "What is served"
    }

    struct Parameter {
        enum Place: String {
            case query, header
        }

        var name: String
        var place: Place
        var schema: JSONNode
        var description: String
    }

    enum Body {
        case json(JSONNode)
        case multipart(JSONNode)
    }

    enum Answer {
        /// With this schema.
        case json(JSONNode)
        /// That, or events when `stream` is true.
        case jsonOrEvents(JSONNode)
        case bytes
        case none
    }

    var summary: String
    var tag: Tag
    /// Of the path's `{id}`.
    var id: String?
    var parameters: [Parameter] = []
    var body: Body?
    /// By status, in order; the first is the usual one.
    var answers: [(status: Int, description: String, answer: Answer)]
    /// Besides those of every operation.
    var errors: [APIErrorKind] = []
    var usesAnthropicErrors = false
    /// Nobody is asked for a key.
    var isPublic = false

    init(_ summary: String, _ tag: Tag, id: String? = nil, answer: Answer) {
        self.summary = summary
        self.tag = tag
        self.id = id
        answers = [(200, "OK", answer)]
    }

    /// Kinds that any operation with a body, or a model, may answer with.
    static let ofBodies: [APIErrorKind] = [
        .malformedJSON, .requestTimeout, .payloadTooLarge, .unsupportedMediaType, .rateLimited,
    ]
    static let ofModels: [APIErrorKind] = [
        .contextLengthExceeded, .modelNotFound, .workerFailed, .queueFull, .noWorker,
        .workerLost, .deadlineExceeded,
    ]
    static let ofAll: [APIErrorKind] = [.invalidValue, .internal, .draining]

    /// A body of JSON that a model answers.
    func generating(_ schema: String) -> OperationDescription {
        var description = self
        description.body = .json(Schema.reference(schema))
        description.errors += Self.ofBodies + Self.ofModels
        description.parameters += Self.ofGenerating
        return description
    }

    func taking(_ body: Body) -> OperationDescription {
        var description = self
        description.body = body
        description.errors += Self.ofBodies
        return description
    }

    func finding() -> OperationDescription {
        var description = self
        description.errors.append(.resourceNotFound)
        return description
    }

    func anthropic() -> OperationDescription {
        var description = self
        description.usesAnthropicErrors = true
        return description
    }

    func with(_ parameters: Parameter...) -> OperationDescription {
        var description = self
        description.parameters += parameters
        return description
    }

    func also(_ status: Int, _ text: String, _ answer: Answer) -> OperationDescription {
        var description = self
        description.answers.append((status, text, answer))
        return description
    }

    private static let ofGenerating = [
        Parameter(
            name: "x-grok-conv-id", place: .header, schema: Schema.string(max: 128),
            description: "Requests of one conversation go to the worker that knows it."),
        Parameter(
            name: "x-slo-ttft-ms", place: .header,
            schema: Schema.integer(1...RequestHeaders.ttftLimitMilliseconds),
            description: "The request is refused when it has no worker within that time."),
    ]
}
