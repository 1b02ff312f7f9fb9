package import GRPC
package import NIOCore

/// Receives a worker's event batches, on the connection's loop.
package protocol EngineEventReceiver: AnyObject {
    func received(_ batch: EngineEventBatch)
    /// Once, last; UNIMPLEMENTED from engines that have no events.
    func subscriptionEnded(_ status: GRPCStatus)
}

/// One `SubscribeKvEvents` call on the client. Owned by the connection's loop.
package final class EngineSubscription {
    private weak var receiver: (any EngineEventReceiver)?
    private var call: GRPCClientCall?

    init(_ receiver: any EngineEventReceiver) {
        self.receiver = receiver
    }

    func started(_ call: GRPCClientCall) {
        self.call = call
    }

    /// Ends it; the receiver is not told.
    package func cancel() {
        receiver = nil
        call?.cancel()
    }
}

extension EngineSubscription: GRPCClientCallReceiver {
    package func received(message: ByteBuffer) {
        do {
            receiver?.received(try EngineMessages.eventBatch(message))
        } catch {
            call?.fail(error)
        }
    }

    package func closed(_ status: GRPCStatus, trailers: GRPCMetadata) {
        call = nil
        receiver?.subscriptionEnded(status)
    }
}
