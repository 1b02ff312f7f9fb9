import NIOCore
import NIOTLS

/// The protocols that a connection may turn out to speak.
enum HTTPProtocol: Sendable, Equatable {
    case http1
    case http2
}

/// Finds out what a plaintext connection speaks by its first bytes: the client preface of HTTP/2
/// (RFC 9113 §3.4), else HTTP/1.1. Installs that protocol's handlers, gives them the bytes, and
/// leaves. A connection that stays undecided is closed after `timeout`.
final class ProtocolSniffer: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    private let timeout: TimeAmount
    /// Adds the handlers behind this one; throws when the channel is closed.
    private let install: (HTTPProtocol) throws -> Void
    private var bytes = ByteBuffer()
    private var timer: Scheduled<Void>?

    init(timeout: TimeAmount, install: @escaping (HTTPProtocol) throws -> Void) {
        self.timeout = timeout
        self.install = install
    }

    /// What `bytes` begin; nil while they are a proper prefix of the preface.
    static func protocolOf(_ bytes: ByteBuffer) -> HTTPProtocol? {
        let view = bytes.readableBytesView
        guard zip(view, preface).allSatisfy({ $0 == $1 }) else { return .http1 }
        return view.count >= preface.count ? .http2 : nil
    }

    func handlerAdded(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            context.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var part = unwrapInboundIn(data)
        if bytes.readableBytes == 0 {
            bytes = part
        } else {
            bytes.writeBuffer(&part)
        }
        guard let found = Self.protocolOf(bytes) else { return }
        timer?.cancel()
        timer = nil
        do {
            try install(found)
        } catch {
            context.close(promise: nil)
            return
        }
        let all = bytes
        bytes = ByteBuffer()
        context.fireChannelRead(wrapInboundOut(all))
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is HTTPDrainEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}

/// Stands behind TLS and installs the handlers of the protocol that ALPN (RFC 7301) chose.
/// Without ALPN it is HTTP/1.1: RFC 9113 §3.3 wants `h2` negotiated. A handshake that does not
/// end in `timeout` closes the connection.
final class ALPNSelector: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let timeout: TimeAmount
    private let install: (HTTPProtocol) throws -> Void
    private var timer: Scheduled<Void>?

    init(timeout: TimeAmount, install: @escaping (HTTPProtocol) throws -> Void) {
        self.timeout = timeout
        self.install = install
    }

    func handlerAdded(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            context.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted(let name)? = event as? TLSUserEvent {
            do {
                try install(name == "h2" ? .http2 : .http1)
                context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
            } catch {
                context.close(promise: nil)
            }
        } else if event is HTTPDrainEvent {
            context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The handshake failed; the client has its alert.
        context.close(promise: nil)
    }
}
