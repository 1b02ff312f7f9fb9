/// Limits and habits of gRPC calls, the same for both sides.
package struct GRPCConfiguration: Sendable, Equatable {
    /// Longest message accepted, in bytes, before and after decompression; longer ones end the call
    /// with `RESOURCE_EXHAUSTED`. The xAI SDK uses 20 MiB each way.
    package var maxMessageBytes: Int
    /// Messages of at least this many bytes are compressed when `encoding` is set and the other
    /// side takes it. Below a kilobyte the headers cost more than is saved.
    package var compressionThresholdBytes: Int
    /// What our messages are compressed with. A server uses it only where `grpc-accept-encoding`
    /// names it; nil never compresses.
    package var encoding: GRPCEncoding?
    /// Longest time a server lets a call live whatever its `grpc-timeout` says, in nanoseconds;
    /// nil for no limit. Over it the call ends with `DEADLINE_EXCEEDED`.
    package var maxCallNanoseconds: Int64?

    package init(
        maxMessageBytes: Int = 20 << 20, compressionThresholdBytes: Int = 1024,
        encoding: GRPCEncoding? = nil, maxCallNanoseconds: Int64? = nil
    ) {
        precondition(maxMessageBytes > 0 && maxMessageBytes <= 1 << 30, "maxMessageBytes")
        self.maxMessageBytes = maxMessageBytes
        self.compressionThresholdBytes = compressionThresholdBytes
        self.encoding = encoding
        self.maxCallNanoseconds = maxCallNanoseconds
    }
}
