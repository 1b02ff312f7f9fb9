package import GRPC
package import NIOCore

/// One `Embed` call on the server. Owned by its connection's loop, where all methods must be
/// called; after the end they do nothing.
package final class EngineEmbedCall: GRPCServerCallObserver {
    private let call: GRPCServerCall
    /// Called when the client gives up before the end.
    package var onCancel: (() -> Void)?

    init(_ call: GRPCServerCall) {
        self.call = call
    }

    package var eventLoop: any EventLoop { call.eventLoop }

    package func finish(_ embedding: EngineEmbedding) {
        onCancel = nil
        do throws(GRPCStatus) {
            call.send(message: try EngineMessages.encode(embedding))
            call.finish()
        } catch {
            call.finish(error)
        }
    }

    package func fail(_ status: GRPCStatus) {
        onCancel = nil
        call.finish(status)
    }

    package func cancelled(_ status: GRPCStatus) {
        let onCancel = onCancel
        self.onCancel = nil
        onCancel?()
    }
}
