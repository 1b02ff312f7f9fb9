package import NIOCore

/// A file as clients are told of it.
package struct FileDescription: Hashable, Sendable {
    package var id: String
    package var bytes: Int
    /// Unix seconds.
    package var created: Int
    package var expires: Int?
    package var name: String
    package var purpose: String

    package init(
        id: String, bytes: Int, created: Int, expires: Int?, name: String, purpose: String
    ) {
        self.id = id
        self.bytes = bytes
        self.created = created
        self.expires = expires
        self.name = name
        self.purpose = purpose
    }

    /// OpenAI's and xAI's file object.
    package func write(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"id\":")
        buffer.writeJSONString(id)
        buffer.writeStaticString(",\"object\":\"file\",\"bytes\":")
        buffer.writeJSONInteger(bytes)
        buffer.writeStaticString(",\"created_at\":")
        buffer.writeJSONInteger(created)
        buffer.writeStaticString(",\"expires_at\":")
        if let expires { buffer.writeJSONInteger(expires) } else { buffer.writeJSONNull() }
        buffer.writeStaticString(",\"filename\":")
        buffer.writeJSONString(name)
        buffer.writeStaticString(",\"purpose\":")
        buffer.writeJSONString(purpose)
        buffer.writeStaticString(",\"status\":\"processed\"}")
    }

    /// A page of a list, in OpenAI's words and in xAI's.
    package static func write(
        _ files: [FileDescription], next: String?, into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString("{\"object\":\"list\",\"data\":[")
        for (index, file) in files.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            file.write(into: &buffer)
        }
        buffer.writeStaticString("],\"first_id\":")
        buffer.writeJSONString(orNull: files.first?.id)
        buffer.writeStaticString(",\"last_id\":")
        buffer.writeJSONString(orNull: files.last?.id)
        buffer.writeStaticString(",\"has_more\":")
        buffer.writeJSONBool(next != nil)
        buffer.writeStaticString(",\"pagination_token\":")
        buffer.writeJSONString(orNull: next)
        buffer.writeStaticString("}")
    }
}

extension ByteBuffer {
    mutating func writeJSONNull() { writeStaticString("null") }
}
