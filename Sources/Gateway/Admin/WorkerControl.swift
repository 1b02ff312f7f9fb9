import Foundation
import InferenceAPI
import InferenceTypes
import Logging

/// Carries out what operators ask, and logs it. Control path only.
struct WorkerControl: Sendable {
    let dispatcher: DispatcherHandle
    /// Nil for a gateway that starts no workers.
    let pool: SupervisedPool?
    /// Of a drain that names none.
    let drainSeconds: Int
    let logger: Logger

    private struct Workers: Encodable {
        var workers: [WorkerStatus]
        /// Supervised processes that no worker of the list runs in: those between two lives.
        var starting: [WorkerProcessStatus]
    }

    private struct Added: Encodable { var id: UInt32 }
    private struct Done: Encodable { var ok = true }
    private struct Pools: Encodable { var pools: [Pool] }
    private struct Pool: Encodable {
        var name: String
        var workers: Int
    }

    /// The answer as JSON.
    func perform(_ action: AdminAction) async -> Result<[UInt8], APIError> {
        log(action)
        do {
            return .success(try await answer(action))
        } catch let error as APIError {
            return .failure(error)
        } catch {
            // The dispatcher is gone: the gateway is stopping.
            return .failure(APIError(.draining, "The gateway is shutting down."))
        }
    }

    private func answer(_ action: AdminAction) async throws -> [UInt8] {
        switch action {
        case .listWorkers: return try await workers()
        case .addWorker(let endpoint):
            let id = try await dispatcher.ask { $0.addWorker(endpoint) }
            return try Self.json(Added(id: id.number))
        case .removeWorker(let id):
            guard await !isSupervised(id) else {
                throw APIError(
                    .invalidValue,
                    "Worker \(id.number) is a process of this gateway: scale the pool instead.")
            }
            try await require(id) { dispatcher in
                let isKnown = dispatcher.isKnown(id)
                dispatcher.removeWorker(id)
                return isKnown
            }
        case .drainWorker(let id, let seconds):
            let seconds = seconds ?? drainSeconds
            try await require(id) { $0.drainWorker(id, seconds: seconds) }
        case .undrainWorker(let id):
            try await require(id) { $0.undrainWorker(id) }
        case .restartWorker(let id, let seconds):
            guard await pool?.restart(id, drainSeconds: seconds ?? drainSeconds) == true else {
                throw Self.unknown(id)
            }
        case .listPools:
            guard let pool else { return try Self.json(Pools(pools: [])) }
            return try Self.json(
                Pools(pools: [Pool(name: AdminAction.poolName, workers: await pool.count)]))
        case .scale(let workers, let seconds):
            guard let pool else {
                throw APIError(
                    .resourceNotFound, "This gateway starts no workers: add and remove them.")
            }
            await pool.scale(to: workers, drainSeconds: seconds ?? drainSeconds)
        }
        return try Self.json(Done())
    }

    private func workers() async throws -> [UInt8] {
        var list = try await dispatcher.ask { $0.workerList() }
        var starting: [WorkerProcessStatus] = []
        for process in await pool?.processes() ?? [] {
            let place = list.firstIndex { $0.id == process.worker?.number }
            if let place {
                list[place].process = process.status
            } else {
                starting.append(process.status)
            }
        }
        return try Self.json(Workers(workers: list, starting: starting))
    }

    private func isSupervised(_ id: WorkerID) async -> Bool {
        await pool?.processes().contains { $0.worker == id } ?? false
    }

    private func require(
        _ id: WorkerID, _ operation: @escaping @Sendable (Dispatcher) -> Bool
    ) async throws {
        guard try await dispatcher.ask(operation) else { throw Self.unknown(id) }
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

    /// The audit log: everything that changes something.
    private func log(_ action: AdminAction) {
        switch action {
        case .listWorkers, .listPools: return
        default: logger.notice("admin action", metadata: ["action": "\(action)"])
        }
    }
}
