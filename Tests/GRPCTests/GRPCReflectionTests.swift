import NIOCore
import Testing

@testable import GRPC

/// Against the real descriptors, reflection is tested by clients (`Tests/Clients`).
@Suite struct GRPCReflectionTests {
    /// `a.proto`, which defines service `p.S` with method `M` and message `p.Q` with `p.Q.R`, and
    /// imports `b.proto`, which defines enum `E`.
    private static let set: ByteBuffer = {
        func named(_ name: String, _ more: (UInt8, ByteBuffer)...) -> ByteBuffer {
            var buffer = ByteBuffer()
            buffer.writeProtobufString(field: 1, name)
            for (field, message) in more { buffer.writeProtobufMessage(field: field, message) }
            return buffer
        }
        var a = named("a.proto")
        a.writeProtobufString(field: 2, "p")
        a.writeProtobufString(field: 3, "b.proto")
        a.writeProtobufMessage(field: 4, named("Q", (3, named("R"))))
        a.writeProtobufMessage(field: 6, named("S", (2, named("M"))))
        let b = named("b.proto", (5, named("E")))
        var set = ByteBuffer()
        set.writeProtobufMessage(field: 1, a)
        set.writeProtobufMessage(field: 1, b)
        return set
    }()

    @Test(arguments: ["p.S", "p.S.M", "p.Q", "p.Q.R"])
    func symbolsAreFoundWithAllThatTheirFileImports(_ symbol: String) throws {
        let index = try DescriptorIndex(Self.set)
        #expect(index.files(defining: symbol)?.map(\.name) == ["a.proto", "b.proto"])
    }

    @Test func filesAreFoundByName() throws {
        let index = try DescriptorIndex(Self.set)
        #expect(index.files(named: "b.proto")?.map(\.name) == ["b.proto"])
        #expect(index.files(defining: "E")?.map(\.name) == ["b.proto"])
        #expect(index.files(named: "c.proto") == nil)
        #expect(index.files(defining: "p.E") == nil)
    }

    @Test func aFileIsSentOncePerCallUnlessItIsAskedFor() throws {
        let service = try GRPCReflectionService(descriptors: Self.set, of: GRPCRouter())
        var sent: Set<String> = []
        var request = ByteBuffer()
        request.writeProtobufString(field: 4, "p.S")
        let first = try service.answer(request, sent: &sent)
        let second = try service.answer(request, sent: &sent)
        #expect(sent == ["a.proto", "b.proto"])
        #expect(first.readableBytes > second.readableBytes)
        #expect(String(buffer: second).contains("a.proto"))
    }

    @Test func whatIsNotThereIsAnError() throws {
        let service = try GRPCReflectionService(descriptors: Self.set, of: GRPCRouter())
        for field in [UInt8(3), 4, 5, 6] {
            var request = ByteBuffer()
            request.writeProtobufString(field: field, "none")
            var sent: Set<String> = []
            let answer = try service.answer(request, sent: &sent)
            #expect(String(buffer: answer).contains("NOT_FOUND"))
        }
        var sent: Set<String> = []
        let answer = try service.answer(ByteBuffer(), sent: &sent)
        #expect(String(buffer: answer).contains("INVALID_ARGUMENT"))
    }

    /// Whatever comes is read or refused.
    @Test func anyBytesAreReadOrRefused() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let length = Int.random(in: 0..<24, using: &random)
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            _ = try? ReflectionRequest(ByteBuffer(bytes: bytes))
        }
    }
}
