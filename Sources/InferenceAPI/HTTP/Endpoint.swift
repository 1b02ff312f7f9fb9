/// What a request on the API port is for.
package struct Endpoint: Hashable, Sendable {
    package var operation: Operation
    /// From the path; empty where it has none. A model's may hold slashes.
    package var id: String

    package init(_ operation: Operation, id: String = "") {
        self.operation = operation
        self.id = id
    }

    /// One row of the endpoint table. The raw value is the endpoint's name in logs and metric
    /// labels: a closed set, never a raw path.
    package enum Operation: String, CaseIterable, Hashable, Sendable {
        // Generating.
        case chatCompletions = "chat_completions"
        case responses
        case messages
        case completions
        case complete
        case countTokens = "count_tokens"
        case embeddings
        case tokenizeText = "tokenize_text"
        // What was accepted or stored.
        case deferredCompletion = "deferred_completion"
        case response
        case deleteResponse = "delete_response"
        case cancelResponse = "cancel_response"
        case responseInputItems = "response_input_items"
        case compactResponse = "compact_response"
        // Files and batches.
        case createFile = "create_file"
        case files
        case file
        case deleteFile = "delete_file"
        case fileContent = "file_content"
        case createBatch = "create_batch"
        case batches
        case batch
        case cancelBatch = "cancel_batch"
        case addBatchRequests = "add_batch_requests"
        case batchRequests = "batch_requests"
        case batchResults = "batch_results"
        // What is served, and to whom.
        case models
        case model
        case languageModels = "language_models"
        case languageModel = "language_model"
        case embeddingModels = "embedding_models"
        case imageGenerationModels = "image_generation_models"
        case apiKey = "api_key"
        case me
        case openAPI = "openapi"
        case health
    }
}

extension Endpoint {
    /// The endpoint table. `GET` includes `HEAD`; `{id}` stands for one segment of the path,
    /// `{id*}` for one or more.
    package struct Row: Sendable {
        package let method: String
        package let path: String
        package let operation: Operation
        private let prefix: [UInt8]
        /// Nil where the path holds no id.
        private let suffix: [UInt8]?
        private let idHasSlashes: Bool

        fileprivate init(_ method: String, _ path: String, _ operation: Operation) {
            self.method = method
            self.path = path
            self.operation = operation
            let bytes = Array(path.utf8)
            guard let open = bytes.firstIndex(of: UInt8(ascii: "{")),
                let close = bytes.firstIndex(of: UInt8(ascii: "}"))
            else {
                (prefix, suffix, idHasSlashes) = (bytes, nil, false)
                return
            }
            prefix = Array(bytes[..<open])
            suffix = Array(bytes[(close + 1)...])
            idHasSlashes = bytes[close - 1] == UInt8(ascii: "*")
        }

        /// The id in a path that is this row's; empty where the row has none; nil for others.
        fileprivate func id(in path: Substring.UTF8View) -> String? {
            guard let suffix else { return path.elementsEqual(prefix) ? "" : nil }
            guard path.count > prefix.count + suffix.count, path.starts(with: prefix),
                path.suffix(suffix.count).elementsEqual(suffix)
            else { return nil }
            let raw = path.dropFirst(prefix.count).dropLast(suffix.count)
            guard idHasSlashes || !raw.contains(UInt8(ascii: "/")) else { return nil }
            return PercentEncoding.decode(Substring(raw))
        }

        fileprivate var allowed: String { method == "GET" ? "GET, HEAD" : method }

        fileprivate func allows(_ method: String) -> Bool {
            method == self.method || method == "HEAD" && self.method == "GET"
        }
    }

    /// In the order in which they are tried: often used ones first.
    package static let table: [Row] = [
        Row("POST", "/v1/chat/completions", .chatCompletions),
        Row("GET", "/v1/models", .models),
        Row("GET", "/v1/models/{id*}", .model),
        Row("POST", "/v1/responses", .responses),
        Row("POST", "/v1/messages", .messages),
        Row("POST", "/v1/completions", .completions),
        Row("POST", "/v1/complete", .complete),
        Row("POST", "/v1/messages/count_tokens", .countTokens),
        Row("POST", "/v1/embeddings", .embeddings),
        Row("POST", "/v1/tokenize-text", .tokenizeText),
        Row("GET", "/v1/chat/deferred-completion/{id}", .deferredCompletion),
        Row("POST", "/v1/responses/compact", .compactResponse),
        Row("GET", "/v1/responses/{id}", .response),
        Row("DELETE", "/v1/responses/{id}", .deleteResponse),
        Row("POST", "/v1/responses/{id}/cancel", .cancelResponse),
        Row("GET", "/v1/responses/{id}/input_items", .responseInputItems),
        Row("POST", "/v1/files", .createFile),
        Row("GET", "/v1/files", .files),
        Row("GET", "/v1/files/{id}", .file),
        Row("DELETE", "/v1/files/{id}", .deleteFile),
        Row("GET", "/v1/files/{id}/content", .fileContent),
        Row("POST", "/v1/batches", .createBatch),
        Row("GET", "/v1/batches", .batches),
        Row("POST", "/v1/batches/{id}:cancel", .cancelBatch),
        Row("GET", "/v1/batches/{id}", .batch),
        Row("POST", "/v1/batches/{id}/requests", .addBatchRequests),
        Row("GET", "/v1/batches/{id}/requests", .batchRequests),
        Row("GET", "/v1/batches/{id}/results", .batchResults),
        Row("GET", "/v1/language-models", .languageModels),
        Row("GET", "/v1/language-models/{id*}", .languageModel),
        Row("GET", "/v1/embedding-models", .embeddingModels),
        Row("GET", "/v1/image-generation-models", .imageGenerationModels),
        Row("GET", "/v1/api-key", .apiKey),
        Row("GET", "/v1/me", .me),
        Row("GET", "/openapi.json", .openAPI),
        Row("GET", "/health", .health),
    ]

    /// Finds the endpoint of a request. The query is ignored, and so is one slash at the end;
    /// methods are case-sensitive (RFC 9110 §9.1).
    ///
    /// Throws `routeNotFound` for a path that no row has, `methodNotAllowed` (with `allow`) for a
    /// method that none of the path's rows has.
    package static func match(
        method: String, path target: String
    ) throws(APIError) -> Endpoint {
        var path = Substring(target)
        if let query = path.utf8.firstIndex(of: UInt8(ascii: "?")) { path = path[..<query] }
        if path.utf8.count > 1, path.utf8.last == UInt8(ascii: "/") { path.removeLast() }
        var allowed: [String] = []
        for row in table {
            guard let id = row.id(in: path.utf8) else { continue }
            if row.allows(method) { return Endpoint(row.operation, id: id) }
            if !allowed.contains(row.allowed) { allowed.append(row.allowed) }
        }
        guard allowed.isEmpty else {
            throw .methodNotAllowed(method, allowed: allowed.joined(separator: ", "))
        }
        throw APIError(.routeNotFound, "There is nothing at this URL.")
    }
}
