import NIOCore

/// One exchange on an HTTP/1.1 connection: the state behind an `HTTPServerStream`. Owned by the
/// connection's event loop.
///
/// ```
/// request    receiving ─────────────────────────► ended
/// response   waiting ──head──► body ──end──► ended ──last byte written──► (closed)
/// ```
/// The two rows move independently. `closed` comes once: nil when the response's last byte is
/// written, an error whenever the connection fails or the exchange is abandoned.
final class HTTP1Stream {
    enum Response: Equatable {
        case waiting
        case body(HTTP1ResponseBody)
        case ended
    }

    let connection: HTTP1Connection
    let request: HTTP1Request
    /// nil before `HTTPService.accept` has returned and after `closed`.
    var receiver: (any HTTPServerStreamReceiver)?
    /// The receiver has had `closed`, or never will: calls do nothing.
    var isClosed = false

    var requestEnded = false
    /// Body bytes received in total, and those not yet consumed.
    var bodyBytes = 0
    var unconsumedBytes = 0
    /// "100 Continue" was sent, or need not be.
    var continues: Bool

    var response = Response.waiting
    /// The connection may be used again after this exchange.
    var keepsAlive: Bool
    /// As the receiver was last told.
    var isWritable = true
    var toldWritable = true

    init(connection: HTTP1Connection, request: HTTP1Request) {
        self.connection = connection
        self.request = request
        keepsAlive = request.keepsAlive
        continues = !request.expectsContinue || request.body == .none
    }

    var unsentBytes: Int { isClosed ? 0 : connection.unsentBytes }

    func send(_ head: HTTPResponseHead, end: Bool) {
        if !isClosed { connection.send(head, end: end, on: self) }
    }

    func send(_ body: ByteBuffer, end: Bool) {
        if !isClosed { connection.send(body, end: end, on: self) }
    }

    func send(trailers: HTTPFields) {
        if !isClosed { connection.send(trailers: trailers, on: self) }
    }

    func reset(_ code: HTTP2ErrorCode) {
        if !isClosed { connection.abandon(.resetLocally(code: code.rawValue)) }
    }

    func refuse(_ refusal: HTTPRefusal, _ reason: HTTPStreamError) {
        if !isClosed { connection.fail(reason, refusal) }
    }

    func consume(_ bytes: Int) {
        guard !isClosed else { return }
        unconsumedBytes = max(0, unconsumedBytes - bytes)
        connection.resumeReading()
    }

    /// Tells the receiver the end, once.
    func close(_ error: HTTPStreamError?) {
        guard !isClosed else { return }
        isClosed = true
        let receiver = receiver
        self.receiver = nil
        receiver?.closed(error)
    }
}
