package import NIOCore

/// A request of a batch as it came: bytes that a face will read when its turn comes.
package struct BatchItem: Hashable, Sendable {
    /// The client's name for it; nil where it has none.
    package var name: String?
    /// Path of the endpoint that it would have gone to.
    package var url: String
    /// A JSON object.
    package var body: [UInt8]
    /// As the body names it; empty where it names none.
    package var model: String
}

/// What clients send to the batch endpoints.
package enum BatchBodies {
    /// Bytes of a batch's or a request's name.
    static let nameLimitBytes = 512
    static let chatURL = "/v1/chat/completions"

    private enum CreateField: String, CaseIterable {
        case name
        case inputFileID = "input_file_id"
    }

    private enum AddField: String, CaseIterable {
        case requests = "batch_requests"
    }

    private enum ItemField: String, CaseIterable {
        case name = "batch_request_id"
        case request = "batch_request"
    }

    private enum RequestField: String, CaseIterable {
        case chat = "chat_get_completion"
    }

    private enum LineField: String, CaseIterable {
        case name = "custom_id"
        case method, url, body
    }

    private static let createFields = JSONKeyTable<CreateField>()
    private static let addFields = JSONKeyTable<AddField>()
    private static let itemFields = JSONKeyTable<ItemField>()
    private static let requestFields = JSONKeyTable<RequestField>()
    private static let lineFields = JSONKeyTable<LineField>()

    /// `POST /v1/batches`.
    package static func create(
        _ body: ByteBuffer
    ) throws(APIError) -> (name: String, inputFileID: String?) {
        try read(body) { reader throws(DecodeFailure) in
            var name = ""
            var file: String?
            try reader.beginObject()
            while let field = try reader.nextField(in: createFields) {
                switch field {
                case .name: name = try reader.string(limitBytes: nameLimitBytes)
                case .inputFileID: file = try reader.string(limitBytes: nameLimitBytes)
                }
            }
            return (name, file)
        }
    }

    /// `POST /v1/batches/{id}/requests`.
    package static func add(_ body: ByteBuffer) throws(APIError) -> [BatchItem] {
        try read(body) { reader throws(DecodeFailure) in
            var items: [BatchItem] = []
            let start = try reader.beginObject()
            var hasRequests = false
            while try reader.nextField(in: addFields) != nil {
                hasRequests = true
                try reader.beginArray()
                while try reader.nextElement() { items.append(try item(&reader)) }
            }
            guard hasRequests else {
                throw DecodeFailure.missing("batch_requests", at: start)
            }
            return items
        }
    }

    private static func item(_ reader: inout FieldReader) throws(DecodeFailure) -> BatchItem {
        var item = BatchItem(name: nil, url: chatURL, body: [], model: "")
        let start = try reader.beginObject()
        while let field = try reader.nextField(in: itemFields) {
            switch field {
            case .name:
                let name = try reader.string(limitBytes: nameLimitBytes)
                item.name = name.isEmpty ? nil : name
            case .request:
                try reader.beginObject()
                while try reader.nextField(in: requestFields) != nil {
                    try readBody(&reader, into: &item)
                }
            }
        }
        guard !item.body.isEmpty else {
            throw DecodeFailure(
                .missingParameter, "Expected 'batch_request' with 'chat_get_completion'.",
                at: start)
        }
        return item
    }

    /// One line of a file of requests (OpenAI, "Batch API": the input file).
    package static func line(_ line: ByteBuffer) throws(APIError) -> BatchItem {
        try read(line) { reader throws(DecodeFailure) in
            var item = BatchItem(name: nil, url: "", body: [], model: "")
            let start = try reader.beginObject()
            while let field = try reader.nextField(in: lineFields) {
                switch field {
                case .name:
                    let name = try reader.string(limitBytes: nameLimitBytes)
                    item.name = name.isEmpty ? nil : name
                case .method:
                    guard try reader.string() == "POST" else {
                        throw reader.refusal(.invalidValue, "Expected 'POST'.")
                    }
                case .url: item.url = try reader.string(limitBytes: nameLimitBytes)
                case .body: try readBody(&reader, into: &item)
                }
            }
            guard !item.url.isEmpty else { throw DecodeFailure.missing("url", at: start) }
            guard !item.body.isEmpty else { throw DecodeFailure.missing("body", at: start) }
            return item
        }
    }

    private static func readBody(
        _ reader: inout FieldReader, into item: inout BatchItem
    ) throws(DecodeFailure) {
        guard try reader.kind() == .object else {
            throw reader.refusal(.invalidType, "Expected an object.")
        }
        let text = try reader.raw()
        item.body = Array(text.utf8)
        item.model = ChatCompletionRequest.model(of: ByteBuffer(string: text)) ?? ""
    }

    private static func read<Value>(
        _ body: ByteBuffer, _ decode: (inout FieldReader) throws(DecodeFailure) -> Value
    ) throws(APIError) -> Value {
        let limits = JSONLimits()
        var reader = FieldReader(body, limits: limits)
        do {
            let value = try decode(&reader)
            try reader.finish()
            return value
        } catch {
            throw error.apiError(in: body, limits: limits)
        }
    }
}
