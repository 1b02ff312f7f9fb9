import HTTPTransport
import InferenceAPI
import NIOCore

/// Probes, metrics and control of the workers on their own port and thread, so that load on the
/// public port cannot starve them. Probes and metrics need no token: they change nothing and show
/// no key and no text.
struct AdminService: HTTPService {
    let serving: ServingBox
    let status: FleetStatus
    /// The Prometheus text.
    let metrics: @Sendable () -> ByteBuffer
    let access: AdminAccess
    let control: AdminControl

    func accept(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream
    ) -> any HTTPServerStreamReceiver {
        if head.path.hasPrefix("/admin/") {
            do {
                try access.check(head)
                return AdminExchange(
                    action: try AdminRoute(method: head.method, path: head.path),
                    control: control, stream: stream)
            } catch {
                Answer.send(error, to: stream)
                return DiscardingReceiver(stream: stream)
            }
        }
        respond(to: head, on: stream)
        return DiscardingReceiver(stream: stream)
    }

    private func respond(to head: HTTPRequestHead, on stream: HTTPServerStream) {
        guard head.method == "GET" || head.method == "HEAD" else {
            let error = APIError.methodNotAllowed(head.method, allowed: "GET, HEAD")
            return Answer.send(error, to: stream)
        }
        switch head.path.prefix(while: { $0 != "?" }) {
        case "/livez":
            Answer.send(ByteBuffer(string: "ok\n"), type: Self.text, to: stream)
        case "/readyz":
            if status.isReady {
                Answer.send(ByteBuffer(string: "ready\n"), type: Self.text, to: stream)
            } else if status.isDraining {
                Answer.send(APIError(.draining, "The gateway is draining."), to: stream)
            } else {
                Answer.send(APIError(.noWorker, "No worker is ready."), to: stream)
            }
        case "/healthz":
            Answer.send(ByteBuffer(string: health), type: "application/json", to: stream)
        case "/metrics":
            Answer.send(metrics(), type: "text/plain; version=0.0.4; charset=utf-8", to: stream)
        default:
            Answer.send(APIError(.routeNotFound, "Unknown path."), to: stream)
        }
    }

    private static let text = "text/plain; charset=utf-8"

    private var health: String {
        let numbers = status.numbers
        let state = status.isDraining ? "draining" : (status.isReady ? "ready" : "not_ready")
        var name = ByteBuffer()
        name.writeJSONString(serving.current.catalogue.list.models.first?.id ?? "")
        return """
            {"status":"\(state)","model":\(String(buffer: name)),\
            "workers":{"known":\(numbers.workers),"ready":\(numbers.readyWorkers),\
            "slots":\(numbers.readySlots)},\
            "requests":{"waiting":\(numbers.waiting),"in_flight":\(numbers.inFlight)}}

            """
    }
}
