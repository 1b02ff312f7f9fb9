import Foundation
import HTTPTransport
import InferenceAPI
import InferenceTypes

/// What an operator asks of the gateway.
///
/// | Request | Body | Answer |
/// |---|---|---|
/// | `GET /admin/v1/workers` | | all workers |
/// | `POST /admin/v1/workers` | `{"endpoint":"host:port"}` | the new worker's id |
/// | `DELETE /admin/v1/workers/ID` | | what ran there goes on elsewhere |
/// | `POST /admin/v1/workers/ID/drain` | `{"seconds":30}` or nothing | |
/// | `POST /admin/v1/workers/ID/undrain` | | |
/// | `POST /admin/v1/workers/ID/restart` | as for drain | supervised workers only |
/// | `GET /admin/v1/pools` | | how many workers are wanted |
/// | `POST /admin/v1/pools/default/scale` | `{"workers":4}`, `"seconds"` as for drain | |
enum AdminAction: Sendable {
    case listWorkers
    case addWorker(HTTPEndpoint)
    case removeWorker(WorkerID)
    case drainWorker(WorkerID, seconds: Int?)
    case undrainWorker(WorkerID)
    case restartWorker(WorkerID, seconds: Int?)
    case listPools
    case scale(workers: Int, seconds: Int?)

    /// The one pool of supervised workers.
    static let poolName = "default"
    /// Longest drain that can be asked for.
    static let drainSecondsLimit = 86_400

    /// The part of an action that method and path say.
    enum Route: Hashable, Sendable {
        case workers
        case add
        case remove(WorkerID)
        case drain(WorkerID)
        case undrain(WorkerID)
        case restart(WorkerID)
        case pools
        case scale

        init(method: String, path: String) throws(APIError) {
            let parts = path.prefix { $0 != "?" }.split(separator: "/").dropFirst(2)
                .map(String.init)
            guard path.hasPrefix("/admin/v1/") else { throw Self.unknown }
            switch (parts.first, parts.count) {
            case ("workers", 1):
                self = try Self.choose(method, ["GET": .workers, "POST": .add], "GET, POST")
            case ("workers", 2):
                let id = try Self.worker(parts[1])
                self = try Self.choose(method, ["DELETE": .remove(id)], "DELETE")
            case ("workers", 3):
                let id = try Self.worker(parts[1])
                let routes: [String: Route] = [
                    "drain": .drain(id), "undrain": .undrain(id), "restart": .restart(id),
                ]
                guard let route = routes[parts[2]] else { throw Self.unknown }
                self = try Self.choose(method, ["POST": route], "POST")
            case ("pools", 1):
                self = try Self.choose(method, ["GET": .pools], "GET")
            case ("pools", 3) where parts[2] == "scale":
                guard parts[1] == AdminAction.poolName else {
                    throw APIError(.resourceNotFound, "There is no pool \(parts[1].prefix(64)).")
                }
                self = try Self.choose(method, ["POST": .scale], "POST")
            default: throw Self.unknown
            }
        }

        private static var unknown: APIError { APIError(.routeNotFound, "Unknown path.") }

        private static func choose(
            _ method: String, _ routes: [String: Route], _ allowed: String
        ) throws(APIError) -> Route {
            guard let route = routes[method] else {
                throw .methodNotAllowed(method, allowed: allowed)
            }
            return route
        }

        private static func worker(_ text: String) throws(APIError) -> WorkerID {
            guard let number = UInt32(text) else {
                throw APIError(.invalidValue, "A worker's id is a number: \(text.prefix(64)).")
            }
            return WorkerID(number: number)
        }
    }

    private struct Body: Decodable {
        var endpoint: String?
        var seconds: Int?
        var workers: Int?
    }

    init(_ route: Route, body: [UInt8]) throws(APIError) {
        let body = try Self.decode(body)
        if let seconds = body.seconds, !(0...Self.drainSecondsLimit).contains(seconds) {
            throw APIError(
                .invalidValue, "seconds must be 0...\(Self.drainSecondsLimit).",
                parameter: "seconds")
        }
        switch route {
        case .workers: self = .listWorkers
        case .add:
            guard let text = body.endpoint, let endpoint = HTTPEndpoint(text: text) else {
                throw APIError(
                    .invalidValue, "endpoint must be host:port or unix:/path.",
                    parameter: "endpoint")
            }
            self = .addWorker(endpoint)
        case .remove(let id): self = .removeWorker(id)
        case .drain(let id): self = .drainWorker(id, seconds: body.seconds)
        case .undrain(let id): self = .undrainWorker(id)
        case .restart(let id): self = .restartWorker(id, seconds: body.seconds)
        case .pools: self = .listPools
        case .scale:
            guard let workers = body.workers, (0...SupervisedPool.countLimit).contains(workers)
            else {
                throw APIError(
                    .invalidValue, "workers must be 0...\(SupervisedPool.countLimit).",
                    parameter: "workers")
            }
            self = .scale(workers: workers, seconds: body.seconds)
        }
    }

    private static func decode(_ bytes: [UInt8]) throws(APIError) -> Body {
        guard !bytes.isEmpty else { return Body() }
        do {
            return try JSONDecoder().decode(Body.self, from: Data(bytes))
        } catch {
            throw APIError(.malformedJSON, "The body is not the JSON object that is expected here.")
        }
    }
}
