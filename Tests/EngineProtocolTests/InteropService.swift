import EngineProtocol
import GRPC
import InferenceTypes
import NIOCore
import Synchronization

/// An `EngineService` without an engine: what it does with a request depends on the request's id.
/// `engine_client.py` expects exactly this.
final class InteropService: EngineService {
    struct Seen {
        var requests: [EngineGenerateRequest] = []
        var cancelled: [(id: String, code: GRPCStatus.Code)] = []
        var aborted: [String] = []
    }

    let seen = Mutex(Seen())
    /// Calls that hang, by request id; each used on its own loop only.
    private let hanging = Mutex<[String: NIOLoopBound<EngineServerCall>]>([:])
    /// Calls that wait for writability, and how many tokens they have sent.
    private let flooding = Mutex<[String: Int]>([:])
    let healthService: GRPCHealthService
    static let floodTokens = 200_000

    init(health: GRPCHealthService) {
        healthService = health
    }

    func generate(_ request: EngineGenerateRequest, _ call: EngineServerCall) {
        seen.withLock { $0.requests.append(request) }
        let id = request.generation.id
        let prompt = request.generation.prompt
        let usage = Usage(promptTokens: prompt.count, completionTokens: prompt.count)
        switch id {
        case let id where id.hasPrefix("echo"):
            for index in 0..<request.choices {
                for token in prompt {
                    call.send(tokens([token], request, index: index))
                }
                call.finish(EngineFinish(reason: .endOfSequence, usage: usage, index: index))
            }
        case "stop-token":
            call.send(tokens(prompt, request))
            call.finish(EngineFinish(reason: .stopToken(prompt[prompt.count - 1]), usage: usage))
        case let id where id.hasPrefix("hang"):
            hanging.withLock { $0[id] = NIOLoopBound(call, eventLoop: call.eventLoop) }
            call.send(tokens([1], request))
        case "fail":
            call.fail(
                GRPCStatus(
                    .resourceExhausted, "queue is full: 100 %\nGrüße", details: [8, 8, 0, 255]))
        case "fail-late":
            call.send(tokens([4], request))
            call.fail(GRPCStatus(.unavailable, "the engine stopped"))
        case "metadata":
            guard request.generation.tier == .priority, request.generation.tenant == "Müller",
                request.generation.resumedTokens == 2,
                request.generation.sampling.seed == .max,
                request.metadata == EngineMetadata(deadlineMilliseconds: 1500, attempt: 3)
            else { return call.fail(GRPCStatus(.invalidArgument, "\(request)")) }
            call.finish(EngineFinish(reason: .contextFull, usage: usage))
        case "health-down", "health-up":
            healthService.set(
                id == "health-up" ? .serving : .notServing, for: "vllm.grpc.engine.VllmEngine")
            call.finish(EngineFinish(reason: .maxTokens, usage: usage))
        case "flood":
            flooding.withLock { $0[id] = 0 }
            flood(call)
        default:
            call.fail(GRPCStatus(.invalidArgument, "request_id: \(id)"))
        }
    }

    private func tokens(
        _ tokens: [TokenID], _ request: EngineGenerateRequest, index: Int = 0
    ) -> EngineTokens {
        EngineTokens(
            tokens: tokens,
            logprobs: request.generation.sampling.topLogprobs.map { count in
                tokens.map { token in
                    TokenLogprob(
                        token: token, logprob: -0.5,
                        top: count > 0 ? [.init(token: token, logprob: -0.5)] : [])
                }
            },
            promptTokens: request.generation.prompt.count, index: index)
    }

    /// Sends until the client is slow or all is sent; goes on at `writabilityChanged`.
    private func flood(_ call: EngineServerCall) {
        guard var sent = flooding.withLock({ $0[call.requestID] }) else { return }
        while sent < Self.floodTokens, call.isWritable {
            call.send(EngineTokens(tokens: Array(repeating: 7, count: 10), promptTokens: 1))
            sent += 10
        }
        let count = sent
        flooding.withLock { $0[call.requestID] = count == Self.floodTokens ? nil : count }
        if count == Self.floodTokens {
            call.finish(EngineFinish(reason: .maxTokens, usage: Usage(promptTokens: 1)))
        }
    }

    /// How many tokens a flood has sent; nil when it is over.
    func floodSent(_ id: String) -> Int? { flooding.withLock { $0[id] } }

    func cancelled(_ call: EngineServerCall, _ status: GRPCStatus) {
        _ = hanging.withLock { $0.removeValue(forKey: call.requestID) }
        _ = flooding.withLock { $0.removeValue(forKey: call.requestID) }
        seen.withLock { $0.cancelled.append((call.requestID, status.code)) }
    }

    func writabilityChanged(_ call: EngineServerCall, _ isWritable: Bool) {
        if isWritable { flood(call) }
    }

    func abort(_ requestIDs: [String], on eventLoop: any EventLoop) {
        seen.withLock { $0.aborted += requestIDs }
        for id in requestIDs {
            guard let call = hanging.withLock({ $0.removeValue(forKey: id) }) else { continue }
            call.eventLoop.execute {
                call.value.finish(EngineFinish(reason: .cancelled, usage: Usage()))
            }
        }
    }

    func health() -> EngineHealth { EngineHealth(isHealthy: true, message: "Health") }

    func modelInfo() -> EngineModelInfo {
        var model = EngineModelInfo()
        model.servedModelName = "interop"
        model.vocabularySize = 1000
        model.contextTokens = 4096
        return model
    }

    func serverInfo() -> EngineServerInfo {
        var server = EngineServerInfo()
        server.serverType = "switchyard-worker"
        server.slots = 16
        server.activeRequests = hanging.withLock { $0.count }
        return server
    }

    /// More than one chunk, and not a whole number of them.
    static let bundle = EngineTokenizerBundle(
        archive: ByteBuffer(bytes: (0..<300_001).map { UInt8(truncatingIfNeeded: $0 % 251) }))

    func tokenizer(on eventLoop: any EventLoop) -> EventLoopFuture<EngineTokenizerBundle> {
        eventLoop.makeSucceededFuture(Self.bundle)
    }

    func loads() -> EngineLoads {
        var load = EngineLoad()
        load.maxRunningRequests = 16
        var loads = EngineLoads()
        loads.ranks = [load]
        return loads
    }
}
