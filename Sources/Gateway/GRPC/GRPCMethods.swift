import GRPC
import InferenceAPI
import InferenceTypes
import NIOCore
import SwiftProtobuf
import XAIProto

/// The gRPC methods of the public port. Each service's are in a file of their own
/// (`GRPCMethods+Models.swift` …), a line or a few for each; here is what all have in common: the
/// key, the request's id, messages, and errors as statuses.
///
/// A method that is not added answers UNIMPLEMENTED. Only health and reflection need no key.
struct GRPCMethods {
    private let core: GatewayCore
    private let loops: [ConnectionLoopHandle]
    private let requestIDs: RequestIDs
    private(set) var router: GRPCRouter

    /// Longest message that is read on a connection's loop: milliseconds at worst.
    static let smallMessageLimitBytes = 1 << 20

    /// Names whose health is the gateway's readiness; "" is the server as a whole.
    static let healthServices = ["", "xai_api.Chat"]

    static func router(
        core: GatewayCore, loops: [ConnectionLoopHandle], requestIDs: RequestIDs,
        health: GRPCHealthService
    ) -> GRPCRouter {
        var methods = GRPCMethods(core: core, loops: loops, requestIDs: requestIDs)
        methods.addGenerating()
        methods.addListings()
        methods.addTokenize()
        methods.addStored()
        methods.addBatches()
        methods.addFiles()
        health.register(in: &methods.router)
        methods.addReflection()
        return methods.router
    }

    /// Last: it lists what there is.
    private mutating func addReflection() {
        guard let descriptors = Base64.decode(xaiDescriptorSet.description),
            let reflection = try? GRPCReflectionService(
                descriptors: ByteBuffer(bytes: descriptors), of: router)
        else { preconditionFailure("the generated descriptors do not read") }
        reflection.register(in: &router)
    }

    private init(core: GatewayCore, loops: [ConnectionLoopHandle], requestIDs: RequestIDs) {
        self.core = core
        self.loops = loops
        self.requestIDs = requestIDs
        // Lengths are 32 bits on the wire; a gibibyte is far above what any client sends.
        let limit = min(core.serving.current.configuration.limits.bodyLimitBytes, 1 << 30)
        router = GRPCRouter(configuration: GRPCConfiguration(maxMessageBytes: limit))
    }

    /// Any method: `make` receives the call's messages. What it throws ends the call.
    ///
    /// - Parameter path: `Service/Method`, in the package `xai_api`.
    mutating func add(
        _ path: String,
        _ make:
            @escaping @Sendable (GRPCServerCall, GRPCCaller) throws(APIError) ->
            any GRPCServerCallReceiver
    ) {
        let (core, loops, requestIDs) = (core, loops, requestIDs)
        guard let operation = Self.operations[path] else {
            preconditionFailure("the method \(path) is no endpoint")
        }
        router.add("/xai_api." + path) { call in
            let requestID =
                RequestHeaders.requestID(call.fields["x-request-id"]) ?? requestIDs.next()
            var metadata = GRPCMetadata()
            metadata.append("x-request-id", requestID)
            call.setInitialMetadata(metadata)
            do throws(APIError) {
                let caller = GRPCCaller(
                    requestID: requestID, principal: try core.authorize(call.fields),
                    fields: call.fields, connectionLoop: loops.onLoop(call.eventLoop),
                    deadline: call.deadline.map {
                        Instant(nanoseconds: Int64(clamping: $0.uptimeNanoseconds))
                    })
                try caller.principal.require(operation)
                return try make(call, caller)
            } catch {
                core.metrics.refused(error)
                call.finish(error)
                return RefusedCall()
            }
        }
    }

    /// A method of one request and one answer, which is at hand.
    mutating func add<Request: Message, Answer: Message>(
        _ path: String,
        answer handle: @escaping @Sendable (Request, GRPCCaller) throws(APIError) -> Answer
    ) {
        add(
            path,
            bytes: { message, caller throws(APIError) in
                let answer = try handle(Request(small: message), caller).written()
                return caller.eventLoop.makeSucceededFuture(.success(answer))
            })
    }

    /// A method of one request and one answer, which comes on the call's loop. A failed future
    /// means that what it ran on was shut down.
    mutating func add<Request: Message, Answer: Message>(
        _ path: String,
        future handle:
            @escaping @Sendable (Request, GRPCCaller) throws(APIError) ->
            EventLoopFuture<Result<Answer, APIError>>
    ) {
        add(
            path,
            bytes: { message, caller throws(APIError) in
                try handle(Request(small: message), caller).map { answer in
                    answer.flatMap { message in
                        Result { () throws(APIError) in try message.written() }
                    }
                }
            })
    }

    /// As above, for messages that may be longer than `smallMessageLimitBytes`: they belong on the
    /// preparation threads (`ConnectionLoop.prepare`).
    mutating func add(_ path: String, bytes handle: @escaping UnaryCall.Handler) {
        add(path) { call, caller in UnaryCall(call, caller, handle) }
    }
}

extension Message {
    /// Throws `invalidValue` for bytes that are not this message.
    init(request bytes: ByteBuffer) throws(APIError) {
        do {
            try self.init(serializedBytes: Array(bytes.readableBytesView))
        } catch {
            throw APIError(.invalidValue, "The message is not a \(Self.protoMessageName).")
        }
    }

    /// For messages that are read on a connection's loop. Throws `payloadTooLarge` too.
    fileprivate init(small bytes: ByteBuffer) throws(APIError) {
        let limit = GRPCMethods.smallMessageLimitBytes
        guard bytes.readableBytes <= limit else {
            throw APIError(
                .payloadTooLarge, "A \(Self.protoMessageName) has at most \(limit) bytes.")
        }
        try self.init(request: bytes)
    }

    /// Throws `internal` for a message over protobuf's 2 GiB.
    func written() throws(APIError) -> ByteBuffer {
        do {
            let bytes: [UInt8] = try serializedBytes()
            return ByteBuffer(bytes: bytes)
        } catch {
            throw APIError(.internal, "The answer cannot be encoded.")
        }
    }
}

/// A call that was ended before its messages came.
private final class RefusedCall: GRPCServerCallReceiver {
    func received(message: ByteBuffer) {}
    func receivedEnd() {}
    func cancelled(_ status: GRPCStatus) {}
}
