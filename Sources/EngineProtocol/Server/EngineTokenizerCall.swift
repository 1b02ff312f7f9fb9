import GRPC
import NIOCore

/// One `GetTokenizer` call: waits for the bundle, then streams it as fast as the client reads.
/// Owned by its connection's loop.
final class EngineTokenizerCall: GRPCServerCallObserver {
    /// As vLLM's servicer.
    static let chunkBytes = 64 << 10

    private let call: GRPCServerCall
    private var rest = ByteBuffer()
    private var sha256 = ""

    init(_ call: GRPCServerCall, _ bundle: EventLoopFuture<EngineTokenizerBundle>) {
        self.call = call
        bundle.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let bundle):
                self.rest = bundle.archive
                self.sha256 = bundle.sha256
                self.sendChunks()
            case .failure(let error):
                call.finish(
                    error as? GRPCStatus ?? GRPCStatus(.internalError, "\(error)"))
            }
        }
    }

    /// The fingerprint comes with the last chunk.
    private func sendChunks() {
        while !call.isFinished, call.isWritable, rest.readableBytes > 0 {
            let length = min(rest.readableBytes, Self.chunkBytes)
            guard let data = rest.readSlice(length: length) else { return }
            let isLast = rest.readableBytes == 0
            call.send(message: Self.chunk(data, sha256: isLast ? sha256 : ""))
            if isLast { call.finish() }
        }
    }

    /// `GetTokenizerChunk`.
    private static func chunk(_ data: ByteBuffer, sha256: String) -> ByteBuffer {
        var message = ByteBuffer()
        // Field 1, bytes.
        message.writeInteger(UInt8(1 << 3 | 2))
        message.writeProtobufVarint(UInt64(data.readableBytes))
        message.writeImmutableBuffer(data)
        if !sha256.isEmpty { message.writeProtobufString(field: 2, sha256) }
        return message
    }

    func cancelled(_ status: GRPCStatus) { rest.clear() }

    func writabilityChanged(_ isWritable: Bool) {
        if isWritable { sendChunks() }
    }
}
