import NIOCore

/// Which file of a `google.protobuf.FileDescriptorSet` defines what. Immutable.
///
/// Read by hand: of a descriptor only names matter here, and the files are passed on as they are.
struct DescriptorIndex: Sendable {
    private struct File: Sendable {
        /// A serialized `FileDescriptorProto`.
        var bytes: ByteBuffer
        var name = ""
        var package = ""
        var dependencies: [String] = []
    }

    private var files: [File] = []
    /// Index by name.
    private var names: [String: Int] = [:]
    /// Index by the full name of a message, an enum, a service or a method.
    private var symbols: [String: Int] = [:]

    /// - Throws: for bytes that are not a descriptor set.
    init(_ set: ByteBuffer) throws(MalformedProtobuf) {
        for file in try Self.fields(1, of: set) { try add(file) }
    }

    func defines(_ symbol: String) -> Bool { symbols[symbol] != nil }

    /// The file of that name, or that defines that symbol, and all that it imports, each before
    /// what is imported; nil when there is none.
    func files(named name: String) -> [(name: String, bytes: ByteBuffer)]? {
        names[name].map(closure)
    }

    func files(defining symbol: String) -> [(name: String, bytes: ByteBuffer)]? {
        symbols[symbol].map(closure)
    }

    private func closure(_ index: Int) -> [(name: String, bytes: ByteBuffer)] {
        var found = [index]
        var next = 0
        while next < found.count {
            for name in files[found[next]].dependencies {
                guard let index = names[name], !found.contains(index) else { continue }
                found.append(index)
            }
            next += 1
        }
        return found.map { (files[$0].name, files[$0].bytes) }
    }

    // MARK: Reading

    private mutating func add(_ bytes: ByteBuffer) throws(MalformedProtobuf) {
        var file = File(bytes: bytes)
        file.name = try Self.string(1, of: bytes)
        file.package = try Self.string(2, of: bytes)
        for name in try Self.fields(3, of: bytes) {
            file.dependencies.append(String(buffer: name))
        }
        let index = files.count
        let scope = file.package.isEmpty ? "" : file.package + "."
        for message in try Self.fields(4, of: bytes) { try add(message, in: scope, index) }
        for enumeration in try Self.fields(5, of: bytes) {
            symbols[scope + (try Self.string(1, of: enumeration))] = index
        }
        for service in try Self.fields(6, of: bytes) {
            let name = scope + (try Self.string(1, of: service))
            symbols[name] = index
            for method in try Self.fields(2, of: service) {
                symbols[name + "." + (try Self.string(1, of: method))] = index
            }
        }
        names[file.name] = index
        files.append(file)
    }

    /// A message, and what is nested in it.
    private mutating func add(
        _ message: ByteBuffer, in scope: String, _ index: Int
    ) throws(MalformedProtobuf) {
        let name = scope + (try Self.string(1, of: message))
        symbols[name] = index
        for nested in try Self.fields(3, of: message) { try add(nested, in: name + ".", index) }
        for enumeration in try Self.fields(4, of: message) {
            symbols[name + "." + (try Self.string(1, of: enumeration))] = index
        }
    }

    /// The payloads of a length-delimited field.
    private static func fields(
        _ field: Int, of message: ByteBuffer
    ) throws(MalformedProtobuf) -> [ByteBuffer] {
        let bytes = message.readableBytesUInt8Span
        var found: [ByteBuffer] = []
        var offset = 0
        while offset < bytes.count {
            let tag = try ProtobufReader.tag(bytes, &offset)
            guard tag.field == field, tag.wireType == 2 else {
                try ProtobufReader.skip(
                    bytes, &offset, field: tag.field, wireType: tag.wireType)
                continue
            }
            let end = try ProtobufReader.lengthDelimitedEnd(bytes, &offset)
            guard
                let payload = message.getSlice(
                    at: message.readerIndex + offset, length: end - offset)
            else { throw MalformedProtobuf() }
            found.append(payload)
            offset = end
        }
        return found
    }

    private static func string(
        _ field: Int, of message: ByteBuffer
    ) throws(MalformedProtobuf) -> String {
        try fields(field, of: message).last.map { String(buffer: $0) } ?? ""
    }
}
