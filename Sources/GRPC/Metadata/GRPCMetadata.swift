package import HTTPTransport

/// The application's own header and trailer fields of a call, in order.
///
/// A key that ends in `-bin` carries bytes, any other printable ASCII (gRPC over HTTP/2,
/// "Custom-Metadata"). Fields that belong to the protocol (`grpc-…`, `content-type`, `te`, pseudo
/// headers) are not part of it.
package struct GRPCMetadata: Sendable, Hashable {
    /// As they travel: binary values in base64.
    package private(set) var fields = HTTPFields()

    package init() {}

    /// The application's fields among `fields`.
    package init(filtering fields: HTTPFields) {
        for field in fields where !Self.isReserved(field.name) {
            self.fields.append(field.name, field.value)
        }
    }

    /// The first value of an ASCII key; nil for a `-bin` key.
    package subscript(name: String) -> String? {
        name.hasSuffix("-bin") ? nil : fields[name]
    }

    /// The first value of a `-bin` key. Several values may arrive joined by commas. Nil when the
    /// key is absent or its value is not base64.
    package func bytes(named name: String) -> [UInt8]? {
        guard let value = fields[name] else { return nil }
        return Base64.decode(value.prefix { $0 != "," })
    }

    /// Appends an ASCII value.
    ///
    /// - Returns: false, appending nothing, for a key or value that cannot travel: a reserved or
    ///   `-bin` key, a key outside `0-9 a-z _ - .`, a value outside 0x20...0x7E.
    @discardableResult
    package mutating func append(_ name: String, _ value: String) -> Bool {
        guard Self.isValidKey(name), !name.hasSuffix("-bin"),
            value.utf8.allSatisfy({ $0 >= 0x20 && $0 <= 0x7E })
        else { return false }
        fields.append(name, value)
        return true
    }

    /// Appends bytes under a key that ends in `-bin`; false when the key cannot travel.
    @discardableResult
    package mutating func append(_ name: String, bytes: [UInt8]) -> Bool {
        guard Self.isValidKey(name), name.hasSuffix("-bin") else { return false }
        fields.append(name, Base64.encode(bytes))
        return true
    }

    private static func isValidKey(_ name: String) -> Bool {
        guard !name.isEmpty, !isReserved(name) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default:
                false
            }
        }
    }

    private static func isReserved(_ name: String) -> Bool {
        name.hasPrefix(":") || name.hasPrefix("grpc-") || name == "content-type" || name == "te"
    }
}
