package import GRPC
package import NIOCore

/// One `SubscribeKvEvents` call on the server. Owned by its connection's loop, where all methods
/// must be called.
package final class EngineEventCall {
    private let call: GRPCServerCall
    private let service: any EngineService

    init(_ call: GRPCServerCall, _ service: any EngineService) {
        self.call = call
        self.service = service
    }

    package var eventLoop: any EventLoop { call.eventLoop }
    /// False while the subscriber reads too slowly.
    package var isWritable: Bool { call.isWritable }
    package var isFinished: Bool { call.isFinished }

    package func send(_ batch: EngineEventBatch) {
        guard !call.isFinished else { return }
        do {
            call.send(message: try EngineMessages.encode(batch))
        } catch {
            call.finish(error)
        }
    }

    /// Ends the subscription.
    package func finish(_ status: GRPCStatus) {
        call.finish(status)
    }
}

extension EngineEventCall: GRPCServerCallObserver {
    package func cancelled(_ status: GRPCStatus) { service.unsubscribed(self) }

    package func writabilityChanged(_ isWritable: Bool) {
        if isWritable { service.eventsWritable(self) }
    }
}
