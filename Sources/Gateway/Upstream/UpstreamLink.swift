import HTTPTransport
import InferenceAPI
import InferenceTypes
import Logging
import NIOCore

/// One connection loop's view of one upstream: asks for its health again and again, says to the
/// dispatcher whether it can be used, and has the connections to it. Owned by the connection loop.
///
/// ```
///   asking (health, models, slots) ──healthy──► up ──unhealthy, silent──► down ──(backoff) asking
/// ```
///
/// Health is `GET /health` (llama-server, vLLM, SGLang, this gateway); of a server that has none,
/// `GET /v1/models`. When an upstream stops answering, its requests without a token go on
/// elsewhere; the others go on as long as their own connections do.
final class UpstreamLink {
    private static let backoffInitial: TimeAmount = .milliseconds(50)
    private static let backoffMaximum: TimeAmount = .seconds(2)

    let id: WorkerID
    let address: UpstreamAddress
    let access: UpstreamAccess
    let connections: UpstreamConnections
    /// What the upstream calls the model.
    private(set) var modelName: String
    /// Requests may be sent.
    private(set) var isUp = false

    private let pool: Pool
    private unowned let connectionLoop: ConnectionLoop
    private var calls: [ObjectIdentifier: UpstreamCall] = [:]
    private var slots = UpstreamSettings.defaultSlots
    private var hasHealth = true
    private var backoff = UpstreamLink.backoffInitial
    private var isClosed = false
    /// A question is under way, or the first of several.
    private var isChecking = false
    /// Of the next check.
    private var timer: Scheduled<Void>?

    init(
        id: WorkerID, endpoint: HTTPEndpoint, access: UpstreamAccess, pool: Pool,
        connectionLoop: ConnectionLoop
    ) {
        self.id = id
        self.access = access
        self.pool = pool
        self.connectionLoop = connectionLoop
        address = access.current.address(of: endpoint)
        modelName = pool.model.name
        let hang = connectionLoop.core.serving.current.configuration.workerHangNanoseconds
        connections = UpstreamConnections(
            eventLoop: connectionLoop.eventLoop, address: address,
            connectTimeout: .nanoseconds(hang))
    }

    var eventLoop: any EventLoop { connectionLoop.eventLoop }

    /// `Bearer …`, where the pool's token file has a key.
    var authorization: String? {
        pool.credentials.credentials(for: address.endpoint).authorization()
    }

    func close() {
        isClosed = true
        isUp = false
        timer?.cancel()
        for call in Array(calls.values) { call.giveUp("it was removed") }
        connections.close()
    }

    // MARK: Calls

    func began(_ call: UpstreamCall) { calls[ObjectIdentifier(call)] = call }
    func ended(_ call: UpstreamCall) { calls[ObjectIdentifier(call)] = nil }

    // MARK: Health

    private func get(
        _ path: String,
        _ completion: @escaping (Result<UpstreamProbe.Answer, HTTPStreamError>) -> Void
    ) {
        let configuration = connectionLoop.core.serving.current.configuration
        UpstreamProbe.get(
            path, of: self, timeout: .nanoseconds(configuration.workerHangNanoseconds), completion)
    }

    /// Asks now, and then again and again.
    func check() {
        guard !isClosed, !isChecking else { return }
        isChecking = true
        timer?.cancel()
        connections.sweep()
        get(hasHealth ? "/health" : "/v1/models") { result in
            guard !self.isClosed else { return }
            switch result {
            case .success(let answer): self.checked(answer)
            case .failure(let error): self.isDown("\(error)", isSilent: true)
            }
        }
    }

    private func checked(_ answer: UpstreamProbe.Answer) {
        switch answer.status {
        case 200: isHealthy()
        case 401, 403, 404, 405,
            501 where hasHealth:
            hasHealth = false
            isChecking = false
            check()
        default: isDown("its health is \(answer.status)", isSilent: false)
        }
    }

    private func isHealthy() {
        backoff = Self.backoffInitial
        guard !isUp else { return checkLater() }
        introduce()
    }

    private func isDown(_ reason: String, isSilent: Bool) {
        let wasUp = isUp
        let logger = connectionLoop.core.logger
        let facts: Logger.Metadata = ["worker": "\(id.number)", "reason": "\(reason)"]
        if wasUp {
            logger.warning("worker is unhealthy", metadata: facts)
        } else {
            logger.debug("worker link failed", metadata: facts)
        }
        setUp(false)
        hasHealth = true
        if wasUp, isSilent {
            for call in Array(calls.values) { call.upstreamIsSilent() }
        }
        checkLater()
    }

    /// A call's connection broke, or there was none to be had: nobody else is sent here until the
    /// upstream has answered again, which is asked at once.
    func connectionFailed() {
        guard isUp, !isClosed else { return }
        setUp(false)
        check()
    }

    private func checkLater() {
        isChecking = false
        let delay: TimeAmount
        if isUp {
            delay = .nanoseconds(
                connectionLoop.core.serving.current.configuration.healthIntervalNanoseconds)
        } else {
            delay = backoff
            backoff = min(backoff + backoff, Self.backoffMaximum)
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        timer?.cancel()
        timer = eventLoop.scheduleTask(in: delay) { bound.value.check() }
    }

    private func setUp(_ isUp: Bool) {
        guard isUp != self.isUp else { return }
        self.isUp = isUp
        let report: LinkReport = isUp ? .up(slots: slots, started: nil) : .down
        let (id, index) = (id, connectionLoop.index)
        pool.dispatcher.perform { $0.report(report, of: id, from: index) }
    }

    // MARK: What it is

    /// A healthy server says what it serves; then it is used.
    private func introduce() {
        get("/v1/models") { result in
            guard !self.isClosed else { return }
            switch result {
            case .success(let answer) where answer.status == 200:
                self.modelName = self.chosenModel(UpstreamModels.decode(answer.body))
                self.askForSlots()
            case .success(let answer) where [404, 405, 501].contains(answer.status):
                self.modelName = self.chosenModel([])
                self.askForSlots()
            case .success(let answer):
                // A wrong key shows here first.
                self.isDown("its models are \(answer.status)", isSilent: false)
            case .failure(let error): self.isDown("\(error)", isSilent: true)
            }
        }
    }

    private func chosenModel(_ names: [String]) -> String {
        if let configured = access.current.settings.model { return configured }
        if names.contains(pool.model.name) { return pool.model.name }
        return names.first ?? pool.model.name
    }

    private func askForSlots() {
        if let slots = access.current.settings.slots {
            self.slots = slots
            setUp(true)
            return checkLater()
        }
        get("/props") { result in
            guard !self.isClosed else { return }
            if case .success(let answer) = result, answer.status == 200 {
                self.slots = UpstreamModels.slots(answer.body) ?? UpstreamSettings.defaultSlots
            } else {
                self.slots = UpstreamSettings.defaultSlots
            }
            self.setUp(true)
            self.checkLater()
        }
    }
}
