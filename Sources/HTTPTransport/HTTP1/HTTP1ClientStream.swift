import NIOCore

/// One request on a client's HTTP/1.1 connection: the state behind an `HTTPClientStream`. Owned by
/// the connection's event loop.
final class HTTP1ClientStream {
    let eventLoop: any EventLoop
    /// Nil once the receiver has had `closed`: calls do nothing then.
    var handler: HTTP1ClientHandler?
    var receiver: (any HTTPClientStreamReceiver)?
    /// Received and not consumed.
    var unconsumedBytes = 0
    /// The request's last byte is written.
    var requestEnded = false

    init(handler: HTTP1ClientHandler, receiver: any HTTPClientStreamReceiver) {
        self.eventLoop = handler.eventLoop
        self.handler = handler
        self.receiver = receiver
    }

    func send(_ body: ByteBuffer, end: Bool) {
        handler?.send(body, end: end, on: self)
    }

    func send(trailers: HTTPFields) {
        handler?.send(trailers: trailers, on: self)
    }

    func reset(_ code: HTTP2ErrorCode) {
        handler?.abandon(.resetLocally(code: code.rawValue))
    }

    func consume(_ bytes: Int) {
        unconsumedBytes = max(0, unconsumedBytes - bytes)
        handler?.resumeReading()
    }

    var isWritable: Bool { handler?.isWritable ?? false }
    var unsentBytes: Int { handler?.unsentBytes ?? 0 }

    /// Tells the receiver the end, once.
    func close(_ error: HTTPStreamError?) {
        guard handler != nil else { return }
        handler = nil
        let receiver = receiver
        self.receiver = nil
        receiver?.closed(error)
    }
}
