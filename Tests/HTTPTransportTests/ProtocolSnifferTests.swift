import NIOCore
import NIOEmbedded
import NIOTLS
import Testing

@testable import HTTPTransport

/// Takes what the sniffer hands on.
private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    var text = ""

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        text += String(buffer: unwrapInboundIn(data))
    }
}

private func sniffed() throws -> (EmbeddedChannel, Collector, () -> HTTPProtocol?) {
    let channel = EmbeddedChannel()
    let collector = Collector()
    final class Box { var value: HTTPProtocol? }
    let box = Box()
    let pipeline = channel.pipeline.syncOperations
    try pipeline.addHandler(
        ProtocolSniffer(timeout: .seconds(5)) { found in
            box.value = found
            try pipeline.addHandler(collector)
        })
    channel.connect(to: try SocketAddress(unixDomainSocketPath: "/x"), promise: nil)
    return (channel, collector, { box.value })
}

@Suite struct ProtocolSnifferTests {
    private let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    @Test func knowsThePrefaceCutAnywhere() throws {
        for cut in 1...preface.count {
            let (channel, collector, found) = try sniffed()
            try channel.writeInbound(ByteBuffer(string: String(preface.prefix(cut))))
            #expect(found() == (cut == preface.count ? .http2 : nil))
            let rest = String(preface.dropFirst(cut)) + "frames"
            try channel.writeInbound(ByteBuffer(string: rest))
            #expect(found() == .http2)
            #expect(collector.text == preface + "frames")
            try channel.writeInbound(ByteBuffer(string: "more"))
            #expect(collector.text == preface + "framesmore")
            _ = try channel.finish()
        }
    }

    @Test func takesAnythingElseForHTTP1() throws {
        for text in ["GET / HTTP/1.1\r\n", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", "POST ", "\r\n"]
        {
            let (channel, collector, found) = try sniffed()
            for character in text.unicodeScalars {
                try channel.writeInbound(ByteBuffer(string: String(character)))
            }
            if text == "P" {
                #expect(found() == nil)
            } else {
                #expect(found() == .http1)
                #expect(collector.text == text)
            }
            _ = try? channel.finish()
        }
    }

    @Test func closesWhatStaysUndecided() throws {
        let (channel, _, found) = try sniffed()
        try channel.writeInbound(ByteBuffer(string: "PRI"))
        channel.embeddedEventLoop.advanceTime(by: .seconds(4))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
        #expect(found() == nil)

        let (decided, _, _) = try sniffed()
        try decided.writeInbound(ByteBuffer(string: "GET"))
        decided.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(decided.isActive)
        _ = try decided.finish()
    }

    @Test func drainClosesWhatIsUndecided() throws {
        let (channel, _, _) = try sniffed()
        channel.pipeline.fireUserInboundEventTriggered(HTTPDrainEvent())
        #expect(!channel.isActive)
    }

    private static let names: [(String?, HTTPProtocol)] = [
        ("h2", .http2), ("http/1.1", .http1), (nil, .http1), ("x", .http1),
    ]

    @Test(arguments: names)
    func negotiationChooses(_ name: String?, _ expected: HTTPProtocol) throws {
        let channel = EmbeddedChannel()
        let collector = Collector()
        let pipeline = channel.pipeline.syncOperations
        var found: HTTPProtocol?
        try pipeline.addHandler(
            ALPNSelector(timeout: .seconds(5)) {
                found = $0
                try pipeline.addHandler(collector)
            })
        channel.connect(to: try SocketAddress(unixDomainSocketPath: "/x"), promise: nil)
        channel.pipeline.fireUserInboundEventTriggered(
            TLSUserEvent.handshakeCompleted(negotiatedProtocol: name))
        #expect(found == expected)
        try channel.writeInbound(ByteBuffer(string: "x"))
        #expect(collector.text == "x")
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(channel.isActive)
        _ = try channel.finish()
    }

    @Test func aHandshakeMustEndInTime() throws {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(
            ALPNSelector(timeout: .seconds(5)) { _ in })
        channel.connect(to: try SocketAddress(unixDomainSocketPath: "/x"), promise: nil)
        channel.embeddedEventLoop.advanceTime(by: .seconds(5))
        #expect(!channel.isActive)
    }
}
