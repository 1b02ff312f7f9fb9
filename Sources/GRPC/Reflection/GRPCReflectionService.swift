package import NIOCore

/// `grpc.reflection.v1.ServerReflection`, and `v1alpha`, whose messages are the same: tells
/// clients such as grpcurl which services there are, and their definitions.
package struct GRPCReflectionService: Sendable {
    private let index: DescriptorIndex
    /// Full names of services, in order.
    private let services: [String]

    /// - Parameters:
    ///   - descriptors: a serialized `google.protobuf.FileDescriptorSet`.
    ///   - router: whose services are listed, where the set defines them, besides reflection.
    /// - Throws: for bytes that are not a descriptor set.
    package init(
        descriptors: ByteBuffer, of router: GRPCRouter
    ) throws(MalformedProtobuf) {
        let index = try DescriptorIndex(descriptors)
        // Of "/package.Service/Method".
        var names = Set(router.paths.compactMap { $0.split(separator: "/").first.map(String.init) })
        names.formUnion(Self.names)
        services = names.filter { index.defines($0) }.sorted()
        self.index = index
    }

    private static let names = [
        "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
    ]

    /// Adds the method of both versions.
    package func register(in router: inout GRPCRouter) {
        for name in Self.names {
            router.add("/\(name)/ServerReflectionInfo") { ReflectionCall($0, self) }
        }
    }

    /// The answer to one request.
    ///
    /// - Parameter sent: names of files that this call has had; they are not sent again.
    func answer(
        _ request: ByteBuffer, sent: inout Set<String>
    ) throws(MalformedProtobuf) -> ByteBuffer {
        let asked = try ReflectionRequest(request)
        var answer = ByteBuffer()
        if !asked.host.isEmpty { answer.writeProtobufString(field: 1, asked.host) }
        answer.writeProtobufMessage(field: 2, request)
        switch asked.question {
        case .listServices:
            var list = ByteBuffer()
            for service in services {
                var entry = ByteBuffer()
                entry.writeProtobufString(field: 1, service)
                list.writeProtobufMessage(field: 1, entry)
            }
            answer.writeProtobufMessage(field: 6, list)
        case .file(let name):
            answer.write(index.files(named: name), unknown: name, sent: &sent)
        case .symbol(let name):
            answer.write(index.files(defining: name), unknown: name, sent: &sent)
        case .extensionNumbers(let type) where index.defines(type):
            // proto3 files have no extensions.
            var numbers = ByteBuffer()
            numbers.writeProtobufString(field: 1, type)
            answer.writeProtobufMessage(field: 5, numbers)
        case .extensionNumbers(let name): answer.writeReflectionError(.notFound, name)
        case .extension: answer.writeReflectionError(.notFound, "there are no extensions")
        case nil: answer.writeReflectionError(.invalidArgument, "nothing is asked for")
        }
        return answer
    }
}

/// `ServerReflectionRequest`.
struct ReflectionRequest {
    enum Question: Equatable {
        case file(String)
        case symbol(String)
        case `extension`
        case extensionNumbers(String)
        case listServices
    }

    var host = ""
    /// The last one, as of any oneof.
    var question: Question?

    init(_ message: ByteBuffer) throws(MalformedProtobuf) {
        let bytes = message.readableBytesUInt8Span
        var offset = 0
        while offset < bytes.count {
            let tag = try ProtobufReader.tag(bytes, &offset)
            switch (tag.field, tag.wireType) {
            case (1, 2): host = try ProtobufReader.string(bytes, &offset)
            case (3, 2): question = .file(try ProtobufReader.string(bytes, &offset))
            case (4, 2): question = .symbol(try ProtobufReader.string(bytes, &offset))
            case (5, 2):
                offset = try ProtobufReader.lengthDelimitedEnd(bytes, &offset)
                question = .extension
            case (6, 2): question = .extensionNumbers(try ProtobufReader.string(bytes, &offset))
            case (7, 2):
                _ = try ProtobufReader.string(bytes, &offset)
                question = .listServices
            default:
                try ProtobufReader.skip(
                    bytes, &offset, field: tag.field, wireType: tag.wireType)
            }
        }
    }
}

extension ByteBuffer {
    /// `FileDescriptorResponse`, or an error.
    fileprivate mutating func write(
        _ files: [(name: String, bytes: ByteBuffer)]?, unknown name: String,
        sent: inout Set<String>
    ) {
        guard let files else { return writeReflectionError(.notFound, name) }
        var response = ByteBuffer()
        for (index, file) in files.enumerated() {
            let isNew = sent.insert(file.name).inserted
            // What was asked for comes whether it is new or not.
            if isNew || index == 0 { response.writeProtobufMessage(field: 1, file.bytes) }
        }
        writeProtobufMessage(field: 4, response)
    }

    fileprivate mutating func writeReflectionError(_ code: GRPCStatus.Code, _ name: String) {
        var error = ByteBuffer()
        error.writeInteger(UInt8(0x08))
        error.writeInteger(code.rawValue)
        error.writeProtobufString(field: 2, "\(code.name): \(name)")
        writeProtobufMessage(field: 7, error)
    }
}

/// One call. Owned by its connection's loop. A client that does not read its answers gets no
/// credit for further questions.
private final class ReflectionCall: GRPCServerCallReceiver {
    // Unowned, as the call owns its receiver and drops it when it ends.
    private unowned let call: GRPCServerCall
    private let service: GRPCReflectionService
    private var sent: Set<String> = []

    init(_ call: GRPCServerCall, _ service: GRPCReflectionService) {
        self.call = call
        self.service = service
        call.consumeManually()
    }

    func received(message: ByteBuffer) {
        do throws(MalformedProtobuf) {
            call.send(message: try service.answer(message, sent: &sent))
        } catch {
            return call.finish(
                GRPCStatus(.invalidArgument, "malformed ServerReflectionRequest"))
        }
        if call.isWritable { call.consume() }
    }

    func receivedEnd() { call.finish() }
    func cancelled(_ status: GRPCStatus) {}

    func writabilityChanged(_ isWritable: Bool) {
        if isWritable { call.consume() }
    }
}
