import NIOCore
import NIOSSL
import NIOTLS

/// Stands behind TLS on a client's connection: the server must have chosen `h2` by ALPN
/// (RFC 9113 §3.3). Keeps why TLS failed, in words. Owned by the connection's loop.
final class TLSClientGate: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// Nil as long as nothing failed.
    private(set) var failure: HTTPStreamError?

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted(let name)? = event as? TLSUserEvent, name != "h2" {
            fail("the server does not speak HTTP/2 over TLS (ALPN: \(name ?? "nothing"))")
            context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOSSLError.uncleanShutdown:
            // The connection broke without TLS's farewell: not a failure of TLS.
            break
        default: fail("TLS: \(error)")
        }
        context.fireErrorCaught(error)
    }

    private func fail(_ reason: String) {
        if failure == nil { failure = .connectFailed(reason) }
    }
}
