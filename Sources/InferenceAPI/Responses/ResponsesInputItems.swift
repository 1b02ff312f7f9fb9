package import NIOCore

/// Which of a response's input items are asked for (OpenAI, "List input items").
package struct ResponsesItemPage: Hashable, Sendable {
    /// 1...100.
    package var limit = 20
    /// The id of the item before the first one that is wanted; nil: from the first on.
    package var after: String?
    /// Oldest first; otherwise newest first.
    package var isAscending = false

    package init() {}

    /// Throws `invalidValue`.
    package init(_ query: Query) throws(APIError) {
        limit = try query.integer("limit", in: 1...100) ?? limit
        after = query["after"]
        switch query["order"] {
        case nil, "desc": break
        case "asc": isAscending = true
        default:
            throw APIError(
                .invalidValue, "'order': Expected 'asc' or 'desc'.", parameter: "order")
        }
    }
}

extension ResponsesFormat {
    /// Appends the answer to `GET /v1/responses/{id}/input_items`: the items of a stored request's
    /// own `input`, each with an id and, for messages, content that is an array.
    ///
    /// - Parameter body: of a request that was decoded before.
    ///
    /// Throws `resourceNotFound` for a page behind an item that is not there.
    package static func writeInputItems(
        of body: ByteBuffer, responseID: String, _ page: ResponsesItemPage = ResponsesItemPage(),
        into buffer: inout ByteBuffer
    ) throws(APIError) {
        var items: [ResponsesInputItem]
        do {
            items = try ResponsesInputItem.items(of: body, responseID: responseID)
        } catch {
            throw error.apiError(in: body, limits: JSONLimits())
        }
        if !page.isAscending { items.reverse() }
        if let after = page.after {
            guard let place = items.firstIndex(where: { $0.id == after }) else {
                throw APIError(
                    .resourceNotFound, "There is no item '\(after.prefix(128))'.",
                    parameter: "after")
            }
            items.removeFirst(place + 1)
        }
        let shown = items.prefix(page.limit)
        buffer.writeStaticString("{\"object\":\"list\",\"data\":[")
        for (index, item) in shown.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            buffer.writeString(item.json)
        }
        buffer.writeStaticString("],\"first_id\":")
        buffer.writeJSONString(orNull: shown.first?.id)
        buffer.writeStaticString(",\"last_id\":")
        buffer.writeJSONString(orNull: shown.last?.id)
        buffer.writeStaticString(",\"has_more\":")
        buffer.writeJSONBool(items.count > shown.count)
        buffer.writeStaticString("}")
    }
}

/// One item of a request's `input`, as it is listed.
private struct ResponsesInputItem {
    var id: String
    var json: String

    private enum BodyField: String, CaseIterable {
        case input
    }

    private enum Field: String, CaseIterable {
        case id, type, role, content
    }

    private static let bodyFields = JSONKeyTable<BodyField>()
    private static let fields = JSONKeyTable<Field>()

    static func items(
        of body: ByteBuffer, responseID: String
    ) throws(DecodeFailure) -> [ResponsesInputItem] {
        let suffix = responseID.dropFirst(ResponsesFormat.idPrefix.count)
        var reader = FieldReader(body, limits: JSONLimits())
        var items: [ResponsesInputItem] = []
        try reader.beginObject()
        while try reader.nextField(in: bodyFields) != nil {
            items.removeAll()
            guard try reader.kind() == .array else {
                let text = try reader.raw()
                items.append(
                    ResponsesInputItem(message: "msg_\(suffix)_in0", role: "user", text: text))
                continue
            }
            try reader.beginArray()
            while try reader.nextElement() {
                items.append(try item(&reader, "\(suffix)_in\(items.count)"))
            }
        }
        return items
    }

    private static func item(
        _ reader: inout FieldReader, _ suffix: String
    ) throws(DecodeFailure) -> ResponsesInputItem {
        var again = reader
        let raw = try again.raw()
        var id: String?
        var type = "message"
        var role = "user"
        var content = "[]"
        var isText = false
        try reader.beginObject()
        while let field = try reader.nextField(in: fields) {
            switch field {
            case .id: id = try reader.string()
            case .type: type = try reader.string()
            case .role: role = try reader.string()
            case .content:
                isText = try reader.kind() == .string
                content = try reader.raw()
            }
        }
        guard type == "message" else {
            let known = id
            let id = known ?? prefix(of: type) + suffix
            // The rest stays as it was sent. Where it has no id, or null, one comes last and so
            // wins.
            let json = known == nil ? raw.dropLast() + ",\"id\":\"\(id)\"}" : raw
            return ResponsesInputItem(id: id, json: json)
        }
        let name = id ?? "msg_" + suffix
        return isText
            ? ResponsesInputItem(message: name, role: role, text: content)
            : ResponsesInputItem(message: name, role: role, content: content)
    }

    private static func prefix(of type: String) -> String {
        switch type {
        case "function_call": "fc_"
        case "function_call_output": "fco_"
        default: "rs_"
        }
    }

    private init(id: String, json: String) {
        self.id = id
        self.json = json
    }

    /// - Parameter text: a JSON string.
    private init(message id: String, role: String, text: String) {
        self.init(
            message: id, role: role,
            content: role == "assistant"
                ? "[{\"type\":\"output_text\",\"text\":\(text),\"annotations\":[]}]"
                : "[{\"type\":\"input_text\",\"text\":\(text)}]")
    }

    /// - Parameter content: a JSON array.
    private init(message id: String, role: String, content: String) {
        var buffer = ByteBuffer()
        buffer.writeStaticString("{\"id\":")
        buffer.writeJSONString(id)
        buffer.writeStaticString(",\"type\":\"message\",\"role\":")
        buffer.writeJSONString(role)
        buffer.writeStaticString(",\"status\":\"completed\",\"content\":")
        buffer.writeString(content)
        buffer.writeStaticString("}")
        self.init(id: id, json: String(buffer: buffer))
    }
}
