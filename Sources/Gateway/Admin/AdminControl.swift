import Foundation
import HTTPTransport
import InferenceAPI
import InferenceTypes
import Logging

/// Carries out what operators ask, and logs it. Control path only.
struct AdminControl: Sendable {
    let directory: PoolDirectory
    let core: GatewayCore
    /// Reads the configuration anew, keys and certificates with it.
    let reload: @Sendable () async throws -> Void

    private var logger: Logger { core.logger }

    private struct Workers: Encodable {
        var workers: [WorkerStatus]
        /// Supervised processes that no worker of the list runs in: those between two lives.
        var starting: [WorkerProcessStatus]
    }

    private struct Models: Encodable {
        var models: [Model]
        var splits: [Split]
    }

    private struct Model: Encodable {
        var name: String
        var aliases: [String]
        var path: String?
        var pool: String?
    }

    private struct Split: Encodable {
        var name: String
        var shares: [String: Int]
    }

    private struct Added: Encodable { var id: UInt32 }
    private struct Done: Encodable { var ok = true }
    private struct Pools: Encodable { var pools: [PoolStatus] }

    /// The answer as JSON.
    func perform(_ action: AdminAction) async -> Result<[UInt8], APIError> {
        do {
            let answer = try await answer(action)
            log(action, outcome: "done")
            return .success(answer)
        } catch {
            log(action, outcome: "\(error)")
            return .failure(Self.apiError(error))
        }
    }

    private static func apiError(_ error: any Error) -> APIError {
        switch error {
        case let error as APIError: error
        // The dispatcher is gone.
        case is CancellationError: APIError(.draining, "The gateway is shutting down.")
        // What a new configuration is refused for says so itself.
        default: APIError(.invalidValue, "\(error)")
        }
    }

    private func answer(_ action: AdminAction) async throws -> [UInt8] {
        switch action {
        case .listWorkers: return try await workers()
        case .listPools: return try Self.json(Pools(pools: await directory.list()))
        case .listModels: return try await models()
        case .serviceLevels: return try Self.json(ServiceLevelReport(core))
        case .addWorker(let endpoint, let weight, let pool):
            var worker = WorkerSettings(endpoint)
            worker.weight = weight
            let id = try await directory.register(worker, pool: pool)
            return try Self.json(Added(id: id.number))
        case .removeWorker(let id): try await remove(id)
        case .drainWorker(let id, let seconds):
            let seconds = seconds ?? core.serving.current.configuration.drainSeconds
            try await require(id) { $0.drainWorker(id, seconds: seconds) }
        case .undrainWorker(let id):
            try await require(id) { $0.undrainWorker(id) }
        case .setWeight(let id, let weight):
            try await require(id) { $0.setWeight(id, weight) }
        case .decisions(let requestID): return try await decisions(of: requestID)
        case .restartWorker(let id, let seconds):
            guard await directory.restart(id, seconds: seconds) else { throw Self.unknown(id) }
        case .scale(let pool, let workers, let seconds):
            try await directory.scale(pool, to: workers, seconds: seconds)
        case .swap(let pool, let path, let model):
            try await change { try $0.swap(pool: pool, path: path, model: model) }
        case .load(let model, let workers, let arguments):
            try await change {
                try $0.load(model, workers: workers, arguments: arguments)
            }
        case .unload(let model): try await change { try $0.unload(model) }
        case .split(let split): try await change { $0.setSplit(split) }
        case .removeSplit(let name): try await change { try $0.removeSplit(name) }
        case .reload: try await reload()
        case .tenancy(let route, let body): return try await tenancy(route, body)
        case .usage(let report):
            guard let meter = core.meter else {
                throw APIError(.unsupported, "This gateway keeps nothing, and meters nothing.")
            }
            return try await meter.answer(report)
        }
        return try Self.json(Done())
    }

    /// Changes the configuration that is in force.
    private func change(
        _ operation: (inout GatewayConfiguration) throws -> Void
    ) async throws {
        var next = await directory.configuration
        try operation(&next)
        try await directory.apply(next)
    }

    private func workers() async throws -> [UInt8] {
        var list: [WorkerStatus] = []
        for pool in await directory.pools {
            list += try await pool.dispatcher.ask { $0.workerList() }
        }
        list.sort { $0.id < $1.id }
        var starting: [WorkerProcessStatus] = []
        for process in await directory.processes() {
            let place = list.firstIndex { $0.id == process.worker?.number }
            if let place {
                list[place].process = process.status
            } else {
                starting.append(process.status)
            }
        }
        return try Self.json(Workers(workers: list, starting: starting))
    }

    /// What it changes holds for the next request.
    private func tenancy(_ route: TenancyRoute, _ body: [UInt8]) async throws -> [UInt8] {
        guard let storage = core.storage else {
            throw APIError(.unsupported, "This gateway keeps no tenants: it has no data-dir.")
        }
        let keys = await directory.configuration.licenseKeyFile
        let answer = try await storage.perform { storage in
            try TenancyOperations(storage: storage, licenseKeyFile: keys)
                .perform(route, body: body)
        }
        if route.changesSomething { try await directory.reloadTenants() }
        return answer
    }

    private func decisions(of requestID: String) async throws -> [UInt8] {
        var decisions: [Decision] = []
        var waiting = 0
        for pool in await directory.pools {
            let found = try await pool.dispatcher.ask { $0.decisions(of: requestID) }
            decisions += found.decisions
            waiting += found.waiting
        }
        guard !decisions.isEmpty || waiting > 0 else {
            throw APIError(
                .resourceNotFound, "No decision about request \(requestID) is known any more.")
        }
        decisions.sort { $0.decided < $1.decided }
        return try Self.json(
            DecisionReport(requestID, decisions, waiting: waiting, now: core.clock()))
    }

    private func models() async throws -> [UInt8] {
        let configuration = await directory.configuration
        let models = configuration.models.map { model in
            Model(
                name: model.name, aliases: model.aliases, path: model.path,
                pool: configuration.pools.first { $0.model == model.name }?.name)
        }
        let splits = configuration.splits.map { split in
            Split(
                name: split.name,
                shares: Dictionary(
                    split.shares.map { ($0.model, $0.weight) }, uniquingKeysWith: +))
        }
        return try Self.json(Models(models: models, splits: splits))
    }

    private func remove(_ id: WorkerID) async throws {
        guard await !directory.processes().contains(where: { $0.worker == id }) else {
            throw APIError(
                .invalidValue,
                "Worker \(id.number) is a process of this gateway: scale the pool instead.")
        }
        let (pool, endpoint) = try await find(id)
        await directory.forget(endpoint, of: pool)
        _ = try await pool.dispatcher.ask { $0.removeWorker(id) }
    }

    private func find(_ id: WorkerID) async throws -> (Pool, HTTPEndpoint) {
        for pool in await directory.pools {
            if let endpoint = try await pool.dispatcher.ask({ $0.endpoint(of: id) }) {
                return (pool, endpoint)
            }
        }
        throw Self.unknown(id)
    }

    private func require(
        _ id: WorkerID, _ operation: @escaping @Sendable (Dispatcher) -> Bool
    ) async throws {
        let (pool, _) = try await find(id)
        guard try await pool.dispatcher.ask(operation) else { throw Self.unknown(id) }
    }

    private static func unknown(_ id: WorkerID) -> APIError {
        APIError(
            .resourceNotFound,
            "There is no worker \(id.number) here of which that can be asked now.")
    }

    private static func json(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
    }

    /// The audit log: everything that changes something, and how it ended.
    private func log(_ action: AdminAction, outcome: String) {
        switch action {
        case .listWorkers, .listPools, .listModels, .decisions, .serviceLevels, .usage:
            return
        case .tenancy(let route, _):
            guard route.changesSomething else { return }
            logger.notice(
                "admin action", metadata: ["action": "\(route)", "outcome": "\(outcome)"])
        default:
            logger.notice(
                "admin action", metadata: ["action": "\(action)", "outcome": "\(outcome)"])
        }
    }
}
