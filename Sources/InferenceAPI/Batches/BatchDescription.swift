package import NIOCore

/// A batch as clients are told of it, in xAI's words (docs.x.ai, "Batch API").
package struct BatchDescription: Hashable, Sendable {
    package var id: String
    package var name: String
    /// RFC 3339.
    package var created: String
    package var expires: String
    package var cancelled: String?
    /// The key's name.
    package var keyID: String
    package var inputFileID: String?
    package var pending = 0
    package var succeeded = 0
    package var failed = 0
    package var cancelledRequests = 0

    package init(id: String, name: String, created: String, expires: String, keyID: String) {
        self.id = id
        self.name = name
        self.created = created
        self.expires = expires
        self.keyID = keyID
    }

    package func write(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"batch_id\":")
        buffer.writeJSONString(id)
        buffer.writeStaticString(",\"name\":")
        buffer.writeJSONString(name)
        buffer.writeStaticString(",\"create_time\":")
        buffer.writeJSONString(created)
        buffer.writeStaticString(",\"expire_time\":")
        buffer.writeJSONString(expires)
        buffer.writeStaticString(",\"create_api_key_id\":")
        buffer.writeJSONString(keyID)
        buffer.writeStaticString(",\"cancel_time\":")
        buffer.writeJSONString(orNull: cancelled)
        buffer.writeStaticString(",\"cancel_by_xai_message\":null,\"input_file_id\":")
        buffer.writeJSONString(orNull: inputFileID)
        buffer.writeStaticString(",\"state\":{\"num_requests\":")
        buffer.writeJSONInteger(pending + succeeded + failed + cancelledRequests)
        buffer.writeStaticString(",\"num_pending\":")
        buffer.writeJSONInteger(pending)
        buffer.writeStaticString(",\"num_success\":")
        buffer.writeJSONInteger(succeeded)
        buffer.writeStaticString(",\"num_error\":")
        buffer.writeJSONInteger(failed)
        buffer.writeStaticString(",\"num_cancelled\":")
        buffer.writeJSONInteger(cancelledRequests)
        buffer.writeStaticString("}}")
    }
}

/// One request of a batch as clients are told of it.
package struct BatchRequestDescription: Hashable, Sendable {
    package enum State: String, Hashable, Sendable {
        case pending, succeeded, failed, cancelled
    }

    package var id: String
    package var endpoint: String
    package var model: String
    package var state: State
    /// RFC 3339.
    package var created: String
    package var finished: String?

    package init(
        id: String, endpoint: String, model: String, state: State, created: String,
        finished: String?
    ) {
        self.id = id
        self.endpoint = endpoint
        self.model = model
        self.state = state
        self.created = created
        self.finished = finished
    }

    package func write(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"batch_request_id\":")
        buffer.writeJSONString(id)
        buffer.writeStaticString(",\"endpoint\":")
        buffer.writeJSONString(endpoint)
        buffer.writeStaticString(",\"model\":")
        buffer.writeJSONString(model)
        buffer.writeStaticString(",\"state\":")
        buffer.writeJSONString(state.rawValue)
        buffer.writeStaticString(",\"create_time\":")
        buffer.writeJSONString(created)
        buffer.writeStaticString(",\"finish_time\":")
        buffer.writeJSONString(orNull: finished)
        buffer.writeStaticString("}")
    }

    /// A request that has ended, with what came of it.
    package static func writeResult(
        id: String, _ answer: StoredAnswer, into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString("{\"batch_request_id\":")
        buffer.writeJSONString(id)
        buffer.writeStaticString(",\"batch_result\":{")
        switch answer {
        case .completion(let completion):
            buffer.writeStaticString("\"response\":{\"chat_get_completion\":")
            completion.writeChat(into: &buffer)
        case .forwarded(let body):
            buffer.writeStaticString("\"response\":{\"chat_get_completion\":")
            buffer.writeBytes(body)
        case .failure(let error):
            // google.rpc.Status.
            buffer.writeStaticString("\"error\":{\"code\":")
            buffer.writeJSONInteger(error.kind.status.grpc.rawValue)
            buffer.writeStaticString(",\"message\":")
            buffer.writeJSONString(error.message)
        }
        buffer.writeStaticString("}}}")
    }
}

extension ByteBuffer {
    /// `{"NAME":[…],"pagination_token":…}`.
    package mutating func writePage<Item>(
        _ name: StaticString, _ items: [Item], next: String?,
        _ write: (Item, inout ByteBuffer) throws(APIError) -> Void
    ) throws(APIError) {
        writeStaticString("{\"")
        writeStaticString(name)
        writeStaticString("\":[")
        for (index, item) in items.enumerated() {
            if index > 0 { writeStaticString(",") }
            try write(item, &self)
        }
        writeStaticString("],\"pagination_token\":")
        writeJSONString(orNull: next)
        writeStaticString("}")
    }
}
