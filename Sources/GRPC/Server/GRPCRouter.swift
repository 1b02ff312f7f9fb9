package import HTTPTransport
package import NIOCore

/// Finds the method of a call by its path. An immutable value, built once and shared by all loops.
///
/// It is an `HTTPService`, so that it can be a listener's only service, or be handed those requests
/// of a shared port whose content type is gRPC's (`isGRPC`).
package struct GRPCRouter: HTTPService {
    /// Makes the receiver of one call, on the connection's loop. It may finish the call at once.
    package typealias Method = @Sendable (GRPCServerCall) -> any GRPCServerCallReceiver

    private var methods: [String: Method] = [:]
    private let configuration: GRPCConfiguration
    private let authorize: Authorization?

    /// Why a call with these fields may not be made; nil: it may. Called on the connection's loop
    /// for every call, known method or not.
    package typealias Authorization = @Sendable (HTTPFields) -> GRPCStatus?

    package init(
        configuration: GRPCConfiguration = GRPCConfiguration(), authorize: Authorization? = nil
    ) {
        self.configuration = configuration
        self.authorize = authorize
    }

    /// Paths that have a method.
    package var paths: [String] { methods.keys.sorted() }

    /// Adds a method; `path` is `/package.Service/Method` and must be new.
    package mutating func add(_ path: String, _ method: @escaping Method) {
        precondition(path.hasPrefix("/") && methods[path] == nil, "gRPC path \(path)")
        methods[path] = method
    }

    /// Adds a method that takes exactly one message, which arrives together with the call.
    ///
    /// The call may be finished at once or later; `handle` returns who is told of a cancellation,
    /// or nil when nobody needs to be.
    package mutating func add(
        _ path: String, singleRequest handle: @escaping SingleRequestReceiver.Handler
    ) {
        add(path) { SingleRequestReceiver($0, handle) }
    }

    /// Adds a method of one request and one answer, both at hand when it is called.
    package mutating func add(
        _ path: String,
        unary handle:
            @escaping @Sendable (ByteBuffer, GRPCServerCall) throws(GRPCStatus) ->
            ByteBuffer
    ) {
        add(path) { call in
            SingleRequestReceiver(call) { message, call in
                do throws(GRPCStatus) {
                    call.send(message: try handle(message, call))
                    call.finish()
                } catch {
                    call.finish(error)
                }
                return nil
            }
        }
    }

    /// Whether a request is gRPC's: `application/grpc`, with or without `+proto` or parameters.
    package static func isGRPC(_ head: HTTPRequestHead) -> Bool {
        head.fields["content-type"]?.hasPrefix("application/grpc") ?? false
    }

    package func accept(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream
    ) -> any HTTPServerStreamReceiver {
        if let refusal = httpRefusal(head, stream) {
            stream.send(HTTPResponseHead(status: refusal, fields: HTTPFields()), end: true)
            return RefusedRequest(stream)
        }
        let call = GRPCServerCall(head: head, stream: stream, configuration: configuration)
        if let refusal = authorize?(head.fields) {
            call.finish(refusal)
        } else if head.fields["te"] != "trailers" {
            call.finish(
                GRPCStatus(.invalidArgument, "te: trailers is missing: a proxy removed it?"))
        } else if let method = methods[call.path] {
            call.start(method)
        } else {
            call.finish(GRPCStatus(.unimplemented, "unknown method \(call.path)"))
        }
        return call
    }

    /// The HTTP status of a request that is not gRPC at all (gRPC over HTTP/2, "Requests"). The
    /// only HTTP statuses besides 200 that a gRPC server sends.
    private func httpRefusal(_ head: HTTPRequestHead, _ stream: HTTPServerStream) -> Int? {
        guard stream.isHTTP2 else { return 505 }
        guard head.method == "POST" else { return 405 }
        guard let type = head.fields["content-type"] else { return 415 }
        let mediaType = type.prefix { $0 != ";" && $0 != " " }
        return mediaType == "application/grpc" || mediaType == "application/grpc+proto" ? nil : 415
    }
}

/// Lets the body of a refused request run dry.
private final class RefusedRequest: HTTPServerStreamReceiver {
    private let stream: HTTPServerStream

    init(_ stream: HTTPServerStream) {
        self.stream = stream
    }

    func received(_ bytes: ByteBuffer) { stream.consume(bytes.readableBytes) }
    func receivedEnd(trailers: HTTPFields?) {}
    func closed(_ error: HTTPStreamError?) {}
    func writabilityChanged(_ isWritable: Bool) {}
}
