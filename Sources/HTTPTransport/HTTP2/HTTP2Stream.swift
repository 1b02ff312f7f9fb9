import NIOCore

/// One HTTP/2 stream of a server or client session. Owned by the connection's event loop.
final class HTTP2Stream {
    let connection: HTTPConnectionContext

    init(connection: HTTPConnectionContext) {
        self.connection = connection
    }

    var isWritable: Bool { true }
    var unsentBytes: Int { 0 }
    func send(_ head: HTTPResponseHead, end: Bool) {}
    func send(_ body: ByteBuffer, end: Bool) {}
    func send(trailers: HTTPFields) {}
    func reset(_ code: HTTP2ErrorCode) {}
    func refuse(_ refusal: HTTPRefusal, _ reason: HTTPStreamError) {}
    func consume(_ bytes: Int) {}
}
