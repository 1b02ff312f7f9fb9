package import NIOCore

/// What OpenAI-compatible servers say of themselves.
package enum UpstreamModels {
    /// Names that are looked at.
    private static let namesLimit = 1_024

    /// The ids of `GET /v1/models`, in order; none where the body is something else.
    package static func decode(_ body: ByteBuffer) -> [String] {
        var names: [String] = []
        var reader = JSONReader(body)
        do {
            try reader.beginObject()
            while let key = try reader.nextKey() {
                guard key == "data", try reader.peek() == .array else {
                    try reader.skipValue()
                    continue
                }
                try reader.beginArray()
                while try reader.nextElement() {
                    if let name = try name(&reader), names.count < namesLimit { names.append(name) }
                }
            }
        } catch {
            return []
        }
        return names
    }

    private static func name(_ reader: inout JSONReader) throws(JSONError) -> String? {
        guard try reader.peek() == .object else {
            try reader.skipValue()
            return nil
        }
        var name: String?
        try reader.beginObject()
        while let key = try reader.nextKey() {
            if key == "id", try reader.peek() == .string {
                name = try reader.readString()
            } else {
                try reader.skipValue()
            }
        }
        return name
    }

    /// llama-server's `total_slots` in `GET /props`.
    package static func slots(_ body: ByteBuffer) -> Int? {
        var reader = JSONReader(body)
        var slots: Int?
        do {
            try reader.beginObject()
            while let key = try reader.nextKey() {
                if key == "total_slots", try reader.peek() == .number {
                    slots = Int(try reader.readInteger())
                } else {
                    try reader.skipValue()
                }
            }
        } catch {
            return nil
        }
        return slots.flatMap { (1...65_536).contains($0) ? $0 : nil }
    }
}
