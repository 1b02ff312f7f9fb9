package import NIOCore

/// Told how a call goes on after its single request was handed over. On the connection's loop.
package protocol GRPCServerCallObserver: AnyObject {
    /// As `GRPCServerCallReceiver.cancelled`.
    func cancelled(_ status: GRPCStatus)
    /// As `GRPCServerCallReceiver.writabilityChanged`.
    func writabilityChanged(_ isWritable: Bool)
}

extension GRPCServerCallObserver {
    package func writabilityChanged(_ isWritable: Bool) {}
}

/// A unary or server-streaming call: waits for the one message and the end of the request, then
/// hands the message over.
///
/// No message or a second one is a cardinality violation, UNIMPLEMENTED (`statuscodes.md`).
package final class SingleRequestReceiver: GRPCServerCallReceiver {
    package typealias Handler =
        @Sendable (ByteBuffer, GRPCServerCall) -> (any GRPCServerCallObserver)?

    // Unowned, as the call owns its receiver and drops it when it ends.
    private unowned let call: GRPCServerCall
    private let handle: Handler
    private var message: ByteBuffer?
    private var observer: (any GRPCServerCallObserver)?

    init(_ call: GRPCServerCall, _ handle: @escaping Handler) {
        self.call = call
        self.handle = handle
    }

    package func received(message: ByteBuffer) {
        guard self.message == nil else {
            return call.finish(GRPCStatus(.unimplemented, "the method takes a single message"))
        }
        self.message = message
    }

    package func receivedEnd() {
        guard let message else {
            return call.finish(GRPCStatus(.unimplemented, "the request message is missing"))
        }
        observer = handle(message, call)
    }

    package func cancelled(_ status: GRPCStatus) { observer?.cancelled(status) }
    package func writabilityChanged(_ isWritable: Bool) { observer?.writabilityChanged(isWritable) }
}
