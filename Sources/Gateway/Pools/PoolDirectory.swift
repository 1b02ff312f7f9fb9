import Foundation
import HTTPTransport
import InferenceAPI
import InferenceTypes
import Logging
import NIOCore
import NIOPosix
import Routing
import Storage

/// The pools of a gateway, and the one way in which configuration changes: `apply`, at the start,
/// at a reload and for what operators change at run time. Control path only.
///
/// ```
///   starting ──first worker takes requests──► serving ──swapped, unloaded──► retiring ──► gone
/// ```
///
/// A pool whose model or processes change is started anew beside the old one, which serves until
/// the new one can; then new requests go there and the old one ends with its last request, or at
/// the drain's deadline. A pool that cannot start changes nothing.
actor PoolDirectory {
    private let core: GatewayCore
    private let loops: [ConnectionLoopHandle]
    private let dispatchLoop: any EventLoop
    private let commons: NIOLoopBound<DispatcherCommons>
    /// Looks names of workers up; a thread of its own, since lookups block it.
    private let resolver: NIOThreadPool
    /// What pools should be by now; `ServingState` says what they are.
    private(set) var configuration: GatewayConfiguration
    /// Of the file.
    private var keys: APIKeys?
    private var tenants = TenantDirectory()
    private var hadTenants = false
    /// Of tenants and keys; those of one that comes back are the same.
    private var identities = IdentityNumbers()
    /// By number: a later life of a pool has the higher one.
    private var entries: [Int: PoolEntry] = [:]
    private var nextNumber = 0
    private var isApplying = false
    private var isStopping = false
    /// Of `run`, until it returns.
    private var running: CheckedContinuation<Void, any Error>?
    /// Pools start their processes: `run` was called.
    private var isRunning = false

    init(
        core: GatewayCore, configuration: GatewayConfiguration, loops: [ConnectionLoopHandle],
        dispatchLoop: any EventLoop, commons: NIOLoopBound<DispatcherCommons>
    ) {
        self.core = core
        self.configuration = configuration
        self.loops = loops
        self.dispatchLoop = dispatchLoop
        self.commons = commons
        resolver = NIOThreadPool(numberOfThreads: 1)
        resolver.start()
    }

    // MARK: Configuration

    /// Makes the pools what the configuration says. Whatever can fail is done first: when this
    /// throws, nothing has changed. Returns before new workers are ready.
    func apply(_ next: GatewayConfiguration) async throws {
        guard !isStopping else { throw APIError(.draining, "The gateway is shutting down.") }
        guard !isApplying else {
            throw APIError(.invalidValue, "Another change is being made; try again.")
        }
        isApplying = true
        defer { isApplying = false }
        if let problem = next.problems.first { throw problem }
        let keys = try next.apiKeyFile.map { path throws(APIKeys.LoadError) in
            try APIKeys(path: path)
        }
        let plans = try next.pools.map { try plan($0, in: next) }
        let tenancy = try await tenancy()

        self.keys = keys
        take(tenancy, asksForKeys: next.asksForKeys)
        configuration = next
        for plan in plans { await carryOut(plan) }
        let names = Set(next.pools.map(\.name))
        publish()
        core.meter?.prices.withLock { $0 = next.metering.prices }
        for (number, entry) in sortedEntries where !names.contains(entry.pool.name) {
            retire(number)
        }
    }

    /// The storage's tenants hold from now on.
    func reloadTenants() async throws {
        let tenancy = try await tenancy()
        take(tenancy, asksForKeys: configuration.asksForKeys)
        publish()
    }

    private func tenancy() async throws -> Tenancy {
        guard let storage = core.storage else { return Tenancy() }
        return try await storage.perform { try $0.tenancy() }
    }

    /// Once there was a tenant, the last tenant's end opens no door before the next start.
    private func take(_ tenancy: Tenancy, asksForKeys: Bool) {
        hadTenants = hadTenants || !tenancy.tenants.isEmpty
        tenants = TenantDirectory(
            keys: keys, tenancy: tenancy, asksForKeys: asksForKeys || hadTenants,
            numbers: &identities)
    }

    private struct Plan {
        var settings: PoolSettings
        var model: ModelSettings
        var file: ModelFile
        /// Of a new life; nil where the present one is kept.
        var served: ServedModel?
        var credentials: WorkerLinkCredentials.Material
        /// Of a pool of kind `openAI`.
        var upstream: UpstreamAccess.Material?
    }

    private func plan(_ settings: PoolSettings, in next: GatewayConfiguration) throws -> Plan {
        guard let model = next.models.first(where: { $0.name == settings.model }) else {
            throw ConfigurationProblem.unknownModel(settings.model, usedBy: settings.name)
        }
        for worker in settings.workers {
            guard let reason = settings.linkRefusal(worker.endpoint) else { continue }
            throw ConfigurationProblem.unusableLink(pool: settings.name, reason: reason)
        }
        var plan = Plan(
            settings: settings, model: model, file: ModelFile(model),
            credentials: try WorkerLinkCredentials.Material(settings.link))
        if settings.kind == .openAI { plan.upstream = try UpstreamAccess.Material(settings) }
        if let newest = newest(settings.name), newest.canBecome(settings, plan.file),
            newest.model.name == model.name
        {
            return plan
        }
        plan.served = try ServedModel(model, created: UnixClock.seconds())
        return plan
    }

    private func carryOut(_ plan: Plan) async {
        guard let served = plan.served else {
            guard let number = newestNumber(plan.settings.name) else { return }
            return await update(number, plan)
        }
        await start(plan, served)
    }

    private func start(_ plan: Plan, _ served: ServedModel) async {
        let number = nextNumber
        nextNumber += 1
        let handle = DispatcherHandle(loop: dispatchLoop)
        let pool = Pool(
            name: plan.settings.name, number: number, kind: plan.settings.kind, model: served,
            dispatcher: handle, credentials: WorkerLinkCredentials(plan.credentials),
            upstream: plan.upstream.map { UpstreamAccess($0) })
        let (core, loops, commons, loop) = (core, loops, commons, dispatchLoop)
        let (admission, settings) = (configuration.admission, plan.settings)
        let decisionLimit = configuration.decisionLimit
        let (breaker, budget) = (configuration.breaker, configuration.retryBudgetPercent)
        handle.install {
            Dispatcher(
                pool: pool, loop: loop, loops: loops, commons: commons.value,
                admission: admission, aheadLimitTickets: settings.aheadLimitTickets,
                policy: settings.policy, decisionLimit: decisionLimit,
                health: FleetHealth(
                    breaker: breaker, retryBudgetPercent: budget, now: MonotonicClock.now()),
                status: core.status, clock: MonotonicClock.now, logger: core.logger)
        }
        let supervised = settings.supervised.map { supervised in
            SupervisedPool(
                commandLine: supervised.commandLine.serving(plan.model), pool: number,
                count: supervised.count, weight: supervised.weight, dispatcher: handle,
                meter: core.meter, logger: core.logger)
        }
        let registered = newest(settings.name)?.registered ?? []
        entries[number] = PoolEntry(
            pool: pool, file: plan.file, model: plan.model, settings: settings,
            supervised: supervised,
            discovered: DiscoveredWorkers(
                settings, dispatcher: handle, resolver: resolver, logger: core.logger),
            registered: registered)
        handle.perform { dispatcher in
            dispatcher.notifyWhenReady { Task { await self.becameReady(number) } }
        }
        for worker in registered {
            handle.perform { _ = $0.addWorker(worker.endpoint, weight: worker.weight) }
        }
        if isRunning { supervise(number, isFirst: false) }
    }

    private func supervise(_ number: Int, isFirst: Bool) {
        guard let supervised = entries[number]?.supervised else { return }
        Task {
            do {
                try await supervised.run()
            } catch {
                couldNotStart(number, isFirst: isFirst, error)
            }
        }
    }

    private func update(_ number: Int, _ plan: Plan) async {
        guard let entry = entries[number] else { return }
        entries[number]?.settings = plan.settings
        entries[number]?.model = plan.model
        let (configuration, settings) = (configuration, plan.settings)
        entry.pool.dispatcher.perform { $0.reconfigure(configuration, settings) }
        entry.pool.credentials.replace(plan.credentials)
        if let upstream = plan.upstream { entry.pool.upstream?.replace(upstream) }
        entry.discovered.follow(plan.settings)
        if let count = plan.settings.supervised?.count {
            await entry.supervised?.scale(to: count, drainSeconds: configuration.drainSeconds)
        }
    }

    // MARK: Lives

    private func becameReady(_ number: Int) {
        guard let name = entries[number]?.pool.name else { return }
        entries[number]?.wasReady = true
        publish()
        for (other, entry) in sortedEntries where entry.pool.name == name && other < number {
            retire(other)
        }
    }

    /// None of its workers can start. The end of a pool that the gateway began with is the
    /// gateway's; a later one is given up, for the one that it should have followed if there is
    /// one.
    private func couldNotStart(_ number: Int, isFirst: Bool, _ error: any Error) {
        guard let entry = entries[number], !isStopping else { return }
        core.logger.error(
            "pool cannot start", metadata: ["pool": "\(entry.pool.name)", "error": "\(error)"])
        let others = sortedEntries.filter { other, candidate in
            candidate.pool.name == entry.pool.name && other != number && !candidate.isRetiring
        }
        let isNewest = others.allSatisfy { $0.number < number }
        if isFirst, others.isEmpty {
            running?.resume(throwing: error)
            running = nil
            return
        }
        // The configuration names what is served, unless a later life will follow it.
        if isNewest {
            if let older = others.last?.entry {
                configuration.restore(older.settings, older.model)
            } else {
                configuration.withdraw(pool: entry.pool.name)
            }
        }
        retire(number)
        publish()
    }

    private func retire(_ number: Int) {
        guard let entry = entries[number], !entry.isRetiring else { return }
        entries[number]?.isRetiring = true
        core.logger.notice(
            "pool retires",
            metadata: ["pool": "\(entry.pool.name)", "model": "\(entry.model.name)"])
        let seconds = configuration.drainSeconds
        entry.pool.dispatcher.perform { dispatcher in
            dispatcher.retire(seconds: seconds) { Task { await self.retired(number) } }
        }
    }

    private func retired(_ number: Int) async {
        guard let entry = entries[number] else { return }
        await entry.discovered.stop()
        await entry.supervised?.stop()
        entry.pool.dispatcher.perform { $0.removeAllWorkers() }
        await entry.pool.dispatcher.settle()
        core.status.forget(pool: number)
        entries[number] = nil
    }

    /// Starts the processes of the pools there are, and of later ones as they come. Returns after
    /// `stop`. Throws when one of the first pools cannot start at all; the others are to be stopped
    /// then. To be called once.
    func run() async throws {
        guard !isStopping else { return }
        isRunning = true
        for number in entries.keys.sorted() { supervise(number, isFirst: true) }
        try await withCheckedThrowingContinuation { running = $0 }
    }

    /// Ends all workers; returns when their processes have exited.
    func stop() async {
        isStopping = true
        await withTaskGroup(of: Void.self) { group in
            for entry in entries.values {
                group.addTask {
                    await entry.discovered.stop()
                    await entry.supervised?.stop()
                }
            }
        }
        // Waits for a lookup under way; fails only when it has been shut down.
        try? await resolver.shutdownGracefully()
        for entry in entries.values { await entry.pool.dispatcher.settle() }
        running?.resume()
        running = nil
    }

    /// New requests are refused from now on.
    func drain() {
        for entry in entries.values { entry.pool.dispatcher.perform { $0.drain() } }
    }

    // MARK: Looking

    private var sortedEntries: [(number: Int, entry: PoolEntry)] {
        entries.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private func newestNumber(_ name: String) -> Int? {
        sortedEntries.last { $0.entry.pool.name == name && !$0.entry.isRetiring }?.number
    }

    private func newest(_ name: String) -> PoolEntry? {
        newestNumber(name).flatMap { entries[$0] }
    }

    /// The life that serves: the latest that could ever take requests, or else the first.
    private func serving(_ name: String) -> PoolEntry? {
        let lives = sortedEntries.filter { $0.entry.pool.name == name && !$0.entry.isRetiring }
        return (lives.last { $0.entry.wasReady } ?? lives.first)?.entry
    }

    private func publish() {
        let lives = configuration.pools.compactMap { serving($0.name) }
        // A split may name what a pool will serve after a swap: until then it serves the old one.
        let names = configuration.pools.compactMap { settings in
            serving(settings.name).map { (settings.model, $0.pool) }
        }
        let pools = Dictionary(
            lives.map { ($0.model.name, $0.pool) } + names, uniquingKeysWith: { first, _ in first })
        core.serving.replace(
            ServingState(
                configuration: configuration, tenants: tenants,
                catalogue: Catalogue(
                    models: lives.map(\.model), splits: configuration.splits, pools: pools)))
    }

    /// The dispatchers of all lives, with their pools.
    var pools: [Pool] { sortedEntries.map(\.entry.pool) }

    func processes() async -> [(worker: WorkerID?, status: WorkerProcessStatus)] {
        var found: [(worker: WorkerID?, status: WorkerProcessStatus)] = []
        for (_, entry) in sortedEntries {
            found += await entry.supervised?.processes() ?? []
        }
        return found
    }

    func list() async -> [PoolStatus] {
        var found: [PoolStatus] = []
        for (number, entry) in sortedEntries {
            let numbers = core.status.numbers(of: number)
            let state: PoolStatus.State =
                entry.isRetiring
                ? .retiring
                : !entry.wasReady ? .starting : numbers.readyWorkers > 0 ? .ready : .unready
            found.append(
                PoolStatus(
                    name: entry.pool.name, model: entry.model.name, path: entry.model.path,
                    kind: entry.settings.kind.rawValue, policy: entry.settings.policy.rawValue,
                    state: state, workers: await entry.supervised?.count,
                    readyWorkers: numbers.readyWorkers, readySlots: numbers.readySlots,
                    inFlight: numbers.inFlight, waiting: numbers.waiting))
        }
        return found
    }

    // MARK: Workers

    /// The pool of that name; the only one when none is named. Throws `resourceNotFound`.
    private func number(named name: String?) throws -> Int {
        if let name {
            guard let number = newestNumber(name) else {
                throw APIError(.resourceNotFound, "There is no pool \(name.prefix(64)).")
            }
            return number
        }
        let names = Set(configuration.pools.map(\.name))
        guard names.count == 1, let only = names.first, let number = newestNumber(only) else {
            throw APIError(
                .missingParameter, "Say which pool: there are \(names.count).", parameter: "pool")
        }
        return number
    }

    func register(_ worker: WorkerSettings, pool name: String?) async throws -> WorkerID {
        let number = try number(named: name)
        guard let entry = entries[number] else { throw CancellationError() }
        if let reason = entry.settings.registrationRefusal(worker.endpoint) {
            throw APIError(.permissionDenied, "\(reason).", parameter: "endpoint")
        }
        let id = try await entry.pool.dispatcher.ask {
            $0.addWorker(worker.endpoint, weight: worker.weight)
        }
        entries[number]?.registered.append(worker)
        return id
    }

    func forget(_ endpoint: HTTPEndpoint, of pool: Pool) {
        entries[pool.number]?.registered.removeAll { $0.endpoint == endpoint }
    }

    func scale(_ name: String?, to workers: Int, seconds: Int?) async throws {
        let number = try number(named: name)
        guard let supervised = entries[number]?.supervised else {
            throw APIError(.resourceNotFound, "That pool starts no workers: add and remove them.")
        }
        entries[number]?.settings.supervised?.count = workers
        if let place = configuration.pools.firstIndex(where: {
            $0.name == entries[number]?.pool.name
        }) {
            configuration.pools[place].supervised?.count = workers
        }
        await supervised.scale(to: workers, drainSeconds: seconds ?? configuration.drainSeconds)
    }

    /// False when no process of ours runs that worker.
    func restart(_ worker: WorkerID, seconds: Int?) async -> Bool {
        for (_, entry) in sortedEntries {
            let seconds = seconds ?? configuration.drainSeconds
            if await entry.supervised?.restart(worker, drainSeconds: seconds) == true {
                return true
            }
        }
        return false
    }
}
