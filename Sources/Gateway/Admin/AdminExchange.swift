import HTTPTransport
import InferenceAPI
import NIOCore

/// One request to `/admin`: collects the small body, then carries the action out. Owned by the
/// admin loop.
final class AdminExchange: HTTPServerStreamReceiver {
    /// Longest body; more is 413.
    static let bodyLimitBytes = 65_536

    private let action: AdminRoute
    private let control: AdminControl
    private let stream: HTTPServerStream
    private var body: [UInt8] = []
    /// The answer is out, or nobody waits for it.
    private var isOver = false

    init(action: AdminRoute, control: AdminControl, stream: HTTPServerStream) {
        self.action = action
        self.control = control
        self.stream = stream
    }

    func received(_ bytes: ByteBuffer) {
        stream.consume(bytes.readableBytes)
        guard !isOver else { return }
        guard body.count + bytes.readableBytes <= Self.bodyLimitBytes else {
            return answer(
                .failure(
                    APIError(
                        .payloadTooLarge, "The body is larger than \(Self.bodyLimitBytes) bytes.")))
        }
        body.append(contentsOf: bytes.readableBytesView)
    }

    func receivedEnd(trailers: HTTPFields?) {
        guard !isOver else { return }
        let action: AdminAction
        do {
            action = try AdminAction(self.action, body: body)
        } catch {
            return answer(.failure(error))
        }
        let promise = stream.eventLoop.makePromise(of: Result<[UInt8], APIError>.self)
        let control = control
        promise.completeWithTask { await control.perform(action) }
        let bound = NIOLoopBound(self, eventLoop: stream.eventLoop)
        promise.futureResult.whenSuccess { bound.value.answer($0) }
    }

    private func answer(_ result: Result<[UInt8], APIError>) {
        guard !isOver else { return }
        isOver = true
        switch result {
        case .success(let bytes):
            Answer.send(ByteBuffer(bytes: bytes), type: Answer.json, to: stream)
        case .failure(let error):
            Answer.send(error, to: stream)
        }
    }

    func closed(_ error: HTTPStreamError?) {
        isOver = true
    }
}
