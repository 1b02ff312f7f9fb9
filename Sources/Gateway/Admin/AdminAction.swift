import Foundation
import HTTPTransport
import InferenceAPI
import InferenceTypes

/// What an operator asks of the gateway; `docs/operations.md` has the table of requests.
enum AdminAction: Sendable {
    case listWorkers
    case addWorker(HTTPEndpoint, weight: Double, pool: String?)
    case removeWorker(WorkerID)
    case drainWorker(WorkerID, seconds: Int?)
    case undrainWorker(WorkerID)
    case setWeight(WorkerID, Double)
    case decisions(requestID: String)
    case restartWorker(WorkerID, seconds: Int?)
    case listPools
    case scale(pool: String, workers: Int, seconds: Int?)
    case swap(pool: String, path: String, model: String?)
    case listModels
    case load(ModelSettings, workers: Int, arguments: [String]?)
    case unload(model: String)
    case split(ModelSplit)
    case removeSplit(String)
    case reload
    case serviceLevels
    case tenancy(TenancyRoute, body: [UInt8])
    case usage(UsageReport)

    /// Longest drain that can be asked for.
    static let drainSecondsLimit = 86_400
    /// What a worker's weight may be.
    static let weights = 0.01...100.0

    /// The fields of all bodies together.
    private struct Body: Decodable {
        var endpoint: String?
        var pool: String?
        var seconds: Int?
        var workers: Int?
        var name: String?
        var path: String?
        var model: String?
        var aliases: [String]?
        var arguments: [String]?
        var shares: [String: Int]?
        var weight: Double?
    }

    init(_ route: AdminRoute, body: [UInt8]) throws(APIError) {
        if case .tenancy(let route) = route {
            self = .tenancy(route, body: body)
            return
        }
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
            self = .addWorker(
                endpoint, weight: try Self.weight(body.weight ?? 1), pool: body.pool)
        case .remove(let id): self = .removeWorker(id)
        case .drain(let id): self = .drainWorker(id, seconds: body.seconds)
        case .undrain(let id): self = .undrainWorker(id)
        case .weight(let id): self = .setWeight(id, try Self.weight(body.weight))
        case .decisions(let id): self = .decisions(requestID: id)
        case .restart(let id): self = .restartWorker(id, seconds: body.seconds)
        case .pools: self = .listPools
        case .scale(let pool):
            self = .scale(
                pool: pool, workers: try Self.count(body.workers), seconds: body.seconds)
        case .swap(let pool):
            self = .swap(
                pool: pool, path: try Self.require(body.path, "path"), model: body.model)
        case .models: self = .listModels
        case .load:
            var model = ModelSettings(
                name: try Self.require(body.name, "name"),
                path: try Self.require(body.path, "path"))
            model.aliases = body.aliases ?? []
            self = .load(
                model, workers: try Self.count(body.workers ?? 1), arguments: body.arguments)
        case .unload(let model): self = .unload(model: model)
        case .split(let name):
            guard let shares = body.shares else {
                throw APIError(.missingParameter, "shares is missing.", parameter: "shares")
            }
            // By name, as an object has no order.
            self = .split(
                ModelSplit(
                    name: name,
                    shares: shares.sorted { $0.key < $1.key }
                        .map { ModelSplit.Share(model: $0.key, weight: $0.value) }))
        case .removeSplit(let name): self = .removeSplit(name)
        case .reload: self = .reload
        case .serviceLevels: self = .serviceLevels
        case .tenancy: preconditionFailure("its body is read where it is carried out")
        case .usage(let report): self = .usage(report)
        }
    }

    private static func require(_ text: String?, _ name: String) throws(APIError) -> String {
        guard let text, !text.isEmpty else {
            throw APIError(.missingParameter, "\(name) is missing.", parameter: name)
        }
        return text
    }

    private static func weight(_ value: Double?) throws(APIError) -> Double {
        guard let value, weights.contains(value) else {
            throw APIError(
                .invalidValue, "weight must be \(weights.lowerBound)...\(weights.upperBound).",
                parameter: "weight")
        }
        return value
    }

    private static func count(_ workers: Int?) throws(APIError) -> Int {
        guard let workers, (0...SupervisedPool.countLimit).contains(workers) else {
            throw APIError(
                .invalidValue, "workers must be 0...\(SupervisedPool.countLimit).",
                parameter: "workers")
        }
        return workers
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
