import EngineProtocol
import GRPC
import InferenceTypes
import NIOCore
import Testing

@testable import Worker

/// Whole workers in this process, over unix sockets.
@Suite(.timeLimit(.minutes(2))) struct WorkerRuntimeTests {
    @Test func streamsTheEnginesTokens() async throws {
        let worker = try await SimulatedWorker.start()
        let client = try await worker.client()
        let request = worker.request(1, tokens: 50)
        let outcome = try await client.generate(request)
        #expect(outcome.tokens == worker.expected(request))
        #expect(outcome.finish?.reason == .maxTokens)
        #expect(
            outcome.finish?.usage
                == Usage(promptTokens: 20, cachedTokens: 0, completionTokens: 50))
        await worker.stop()
    }

    @Test func endsWithTheVocabularysOwnEnd() async throws {
        let worker = try await SimulatedWorker.start {
            guard case .simulated(var settings) = $0.engine else { return }
            settings.outputLength = .fixed(7)
            $0.engine = .simulated(settings)
        }
        let client = try await worker.client()
        let request = worker.request(1, tokens: 50)
        let outcome = try await client.generate(request)
        #expect(outcome.tokens == worker.expected(request))
        #expect(outcome.tokens.last == 999)
        #expect(outcome.finish?.reason == .endOfSequence)
        #expect(outcome.finish?.usage.completionTokens == 8)
        await worker.stop()
    }

    @Test func stopTokensAreNamed() async throws {
        let worker = try await SimulatedWorker.start()
        let client = try await worker.client()
        var request = worker.request(1, tokens: 50)
        let token = worker.expected(request)[10]
        request.sampling.stopTokens = [token]
        let outcome = try await client.generate(request)
        #expect(outcome.tokens == worker.expected(request))
        #expect(outcome.finish?.reason == .stopToken(token))
        await worker.stop()
    }

    @Test(arguments: [1, 3]) func manyAtOnceEachGetTheirOwn(ioThreads: Int) async throws {
        let worker = try await SimulatedWorker.start(slots: 16) { $0.ioThreads = ioThreads }
        var clients: [EngineClient] = []
        for _ in 0..<4 { clients.append(try await worker.client()) }
        var streams: [(GenerationRequest, EngineClient.Stream)] = []
        for number in 0..<64 {
            let request = worker.request(number, tokens: 20 + number)
            streams.append((request, try await clients[number % 4].start(request)))
        }
        for (request, stream) in streams {
            let outcome = try await stream.outcome.get()
            #expect(outcome.tokens == worker.expected(request), "\(request.id)")
            #expect(outcome.failure == nil)
        }
        await worker.becomesIdle()
        #expect(try await clients[0].loads().runningRequests == 0)
        await worker.stop()
    }

    @Test func aSecondRunGivesTheSameTokens() async throws {
        let worker = try await SimulatedWorker.start(slots: 4)
        let client = try await worker.client()
        let request = worker.request(5, tokens: 100)
        let alone = try await client.generate(request)
        var crowd: [EngineClient.Stream] = []
        for number in 10..<20 {
            crowd.append(try await client.start(worker.request(number, tokens: 80)))
        }
        let crowded = try await client.generate(request)
        #expect(alone.tokens == crowded.tokens)
        // The second time the prompt is resident.
        #expect(crowded.finish?.usage.cachedTokens ?? 0 > 0)
        for stream in crowd { _ = try await stream.outcome.get() }
        await worker.stop()
    }

    @Test func aLateRequestGetsItsFirstTokenBeforeTheOthersEnd() async throws {
        let worker = try await SimulatedWorker.start(
            slots: 8, stepTime: .fixed(microseconds: 1_000), isUnending: true)
        let client = try await worker.client()
        var early: [EngineClient.Stream] = []
        for number in 0..<4 {
            early.append(
                try await client.start(worker.request(number, tokens: SimulatedWorker.unending)))
        }
        try await early[0].wait(forTokens: 50)
        let late = try await client.generate(worker.request(9, tokens: 5))
        #expect(late.tokens.count == 5)
        // It was served among requests that do not end by themselves.
        for stream in early {
            stream.cancel()
            #expect(try await stream.outcome.get().failure?.code == .cancelled)
        }
        await worker.stop()
    }

    @Test func aCancelFreesItsSlot() async throws {
        let worker = try await SimulatedWorker.start(
            slots: 1, stepTime: .fixed(microseconds: 500), isUnending: true)
        let client = try await worker.client()
        let first = try await client.start(worker.request(1, tokens: SimulatedWorker.unending))
        try await first.wait(forTokens: 3)
        let waiting = try await client.start(worker.request(2, tokens: 4))
        first.cancel()
        let outcome = try await waiting.outcome.get()
        #expect(outcome.tokens.count == 4)
        #expect(try await first.outcome.get().failure?.code == .cancelled)
        await worker.becomesIdle()
        let loads = try await client.loads()
        #expect(loads.runningRequests == 0 && loads.usedTokens == 0)
        await worker.stop()
    }

    @Test func abortEndsRequestsByName() async throws {
        let worker = try await SimulatedWorker.start(
            slots: 2, stepTime: .fixed(microseconds: 500), isUnending: true)
        let client = try await worker.client()
        let other = try await worker.client()
        let stream = try await client.start(worker.request(1, tokens: SimulatedWorker.unending))
        try await stream.wait(forTokens: 3)
        try await other.ask { $0.abort(["nobody", "request-1"]) }
        let outcome = try await stream.outcome.get()
        #expect(outcome.finish?.reason == .cancelled)
        await worker.becomesIdle()
        await worker.stop()
    }

    @Test func aLostConnectionFreesItsSlots() async throws {
        let worker = try await SimulatedWorker.start(
            slots: 8, stepTime: .fixed(microseconds: 500), isUnending: true)
        let client = try await worker.client()
        var streams: [EngineClient.Stream] = []
        for number in 0..<20 {
            streams.append(
                try await client.start(worker.request(number, tokens: SimulatedWorker.unending)))
        }
        try await streams[0].wait(forTokens: 2)
        try await client.close()
        await worker.becomesIdle()
        for stream in streams { #expect(try await stream.outcome.get().failure != nil) }
        await worker.stop()
    }

    @Test func aSlowReaderPausesOnlyItself() async throws {
        let worker = try await SimulatedWorker.start(slots: 4) {
            $0.outputHighWatermarkBytes = 512
        }
        let slowClient = try await worker.client(streamWindowBytes: 1_024)
        let client = try await worker.client()
        let slowRequest = worker.request(1, tokens: 3_000)
        let slow = try await slowClient.start(slowRequest, consumes: false)
        try await slow.wait(forTokens: 5)
        for number in 2..<6 {
            let request = worker.request(number, tokens: 3_000)
            let outcome = try await client.generate(request)
            #expect(outcome.tokens == worker.expected(request))
        }
        // Thousands of steps later the slow one has no more than its window and watermark allow.
        #expect(try await slow.count() < 500)
        #expect(worker.runtime.metrics.outputPauses.value > 0)
        slow.read()
        let outcome = try await slow.outcome.get()
        #expect(outcome.tokens == worker.expected(slowRequest))
        await worker.stop()
    }

    @Test func aDrainLetsRunningRequestsFinish() async throws {
        let worker = try await SimulatedWorker.start(
            slots: 2, stepTime: .fixed(microseconds: 1_000))
        let client = try await worker.client()
        let request = worker.request(1, tokens: 200)
        let stream = try await client.start(request)
        try await stream.wait(forTokens: 5)
        async let drained: Void = worker.runtime.drain()
        let outcome = try await stream.outcome.get()
        #expect(outcome.tokens == worker.expected(request))
        await drained
        try await worker.runtime.waitForEnd()
        await #expect(throws: (any Error).self) { _ = try await worker.client() }
        await worker.stop()
    }

    @Test func theDrainsDeadlineEndsTheRest() async throws {
        let worker = try await SimulatedWorker.start(
            slots: 2, stepTime: .fixed(microseconds: 20_000)
        ) { $0.drainSeconds = 0.1 }
        let client = try await worker.client()
        let stream = try await client.start(worker.request(1, tokens: 4_000))
        try await stream.wait(forTokens: 1)
        await worker.runtime.drain()
        #expect(try await stream.outcome.get().failure?.code == .unavailable)
        try await worker.runtime.waitForEnd()
        await worker.stop()
    }

    @Test func refusesWhatCannotRun() async throws {
        let worker = try await SimulatedWorker.start()
        let client = try await worker.client()
        let good = worker.request(1, tokens: 5)
        let bad: [(String, (inout GenerationRequest) -> Void)] = [
            ("empty prompt", { $0.prompt = [] }),
            ("token outside the vocabulary", { $0.prompt[3] = 1_000 }),
            ("prompt longer than the context", { $0.prompt = Array(repeating: 1, count: 9_000) }),
            ("stop token outside", { $0.sampling.stopTokens = [5_000] }),
            ("bias outside", { $0.sampling.logitBias = [TokenBias(token: 5_000, bias: 1)] }),
            ("nothing but resumed tokens", { $0.resumedTokens = 20 }),
            ("no token left", { $0.resumedTokens = 5 }),
        ]
        for (name, change) in bad {
            var request = good
            change(&request)
            let failure = try await client.generate(request).failure
            let code: GRPCStatus.Code =
                name == "prompt longer than the context" ? .outOfRange : .invalidArgument
            #expect(failure?.code == code, "\(name): \(String(describing: failure))")
        }
        #expect(try await client.generate(good).tokens == worker.expected(good))
        await worker.stop()
    }

    @Test func aSecondRequestOfTheSameNameIsRefused() async throws {
        let worker = try await SimulatedWorker.start(
            stepTime: .fixed(microseconds: 1_000), isUnending: true)
        let client = try await worker.client()
        let stream = try await client.start(worker.request(1, tokens: SimulatedWorker.unending))
        try await stream.wait(forTokens: 1)
        let failure = try await client.generate(worker.request(1, tokens: 5)).failure
        #expect(failure?.code == .alreadyExists)
        stream.cancel()
        await worker.becomesIdle()
        #expect(try await client.generate(worker.request(1, tokens: 5)).finish != nil)
        await worker.stop()
    }

    @Test func aFullQueueRefuses() async throws {
        let worker = try await SimulatedWorker.start(
            slots: 1, stepTime: .fixed(microseconds: 1_000), isUnending: true
        ) { $0.waitingRequestsMax = 2 }
        let client = try await worker.client()
        let running = try await client.start(worker.request(0, tokens: SimulatedWorker.unending))
        try await running.wait(forTokens: 1)
        var streams: [EngineClient.Stream] = []
        for number in 1..<8 {
            streams.append(try await client.start(worker.request(number, tokens: 2)))
        }
        var refused = 0
        for stream in streams[2...] {
            if try await stream.outcome.get().failure?.code == .resourceExhausted { refused += 1 }
        }
        #expect(refused == 5)
        running.cancel()
        for stream in streams[..<2] { #expect(try await stream.outcome.get().finish != nil) }
        await worker.stop()
    }

    @Test func aDeadlineKeepsWhatWasGenerated() async throws {
        let worker = try await SimulatedWorker.start(
            stepTime: .fixed(microseconds: 1_000), isUnending: true)
        let client = try await worker.client()
        let outcome = try await client.generate(
            worker.request(1, tokens: SimulatedWorker.unending),
            metadata: EngineMetadata(deadlineMilliseconds: 2_000))
        #expect(outcome.finish?.reason == .timeLimit)
        #expect(!outcome.tokens.isEmpty)
        await worker.stop()
    }

    @Test func aWishForTheFirstTokenEndsNothing() async throws {
        let worker = try await SimulatedWorker.start()
        let client = try await worker.client()
        let outcome = try await client.generate(
            worker.request(1, tokens: 40), metadata: EngineMetadata(firstTokenMilliseconds: 0))
        #expect(outcome.finish?.reason == .maxTokens && outcome.tokens.count == 40)
        await worker.stop()
    }

    @Test func logprobsComeWithTheirTokens() async throws {
        let worker = try await SimulatedWorker.start()
        let client = try await worker.client()
        var request = worker.request(1, tokens: 10)
        request.sampling.topLogprobs = 3
        let outcome = try await client.generate(request)
        #expect(outcome.logprobs.map(\.token) == outcome.tokens)
        #expect(outcome.logprobs.allSatisfy { $0.top.count == 3 })
        await worker.stop()
    }

    @Test func aResumedRequestGoesOnWhereItStopped() async throws {
        let worker = try await SimulatedWorker.start()
        let client = try await worker.client()
        let request = worker.request(1, tokens: 40)
        let whole = worker.expected(request)
        var rest = request
        rest.prompt += whole[..<15]
        rest.resumedTokens = 15
        let outcome = try await client.generate(rest)
        #expect(outcome.tokens == Array(whole[15...]))
        #expect(outcome.finish?.usage.completionTokens == 25)
        await worker.stop()
    }

    @Test func saysWhatItIs() async throws {
        let worker = try await SimulatedWorker.start(slots: 3) { $0.modelName = "m\"1" }
        let client = try await worker.client()
        let model = try await client.ask { $0.modelInfo() }
        #expect(model.servedModelName == "m\"1")
        #expect(model.vocabularySize == 1_000)
        #expect(model.contextTokens == 6_144)
        #expect(model.maxInputTokens == 6_143)
        #expect(model.endOfSequenceTokens == [999])
        let server = try await client.ask { $0.serverInfo() }
        #expect(server.serverType == "switchyard-worker")
        #expect(server.slots == 3)
        #expect(try await client.ask { $0.healthCheck() }.isHealthy)
        #expect(worker.runtime.readyLine.contains(#""model":"m\"1","slots":3"#))
        await worker.stop()
    }

    @Test func refusesPlaintextThatOthersCanReach() async throws {
        let configuration = WorkerConfiguration(
            engine: .simulated(.init()), listen: .tcp(host: "0.0.0.0", port: 0))
        #expect(throws: WorkerError.plaintextOffLoopback(address: "0.0.0.0:0")) {
            try configuration.validate()
        }
        var allowed = configuration
        allowed.allowsPlaintext = true
        try allowed.validate()
    }

    @Test func simulatedAnswersAreMadeOfTheTokensThatAreGiven() throws {
        var settings = WorkerConfiguration.SimulatedSettings()
        settings.outputIDs = 460...463
        let generation = settings.generation
        let tokens = (0..<200).map {
            generation.sample(stream: 7, position: $0, parameters: .init()).token
        }
        #expect(Set(tokens) == [460, 461, 462, 463])
        var configuration = WorkerConfiguration(
            engine: .simulated(settings), listen: .unix(path: "/w.sock"))
        try configuration.validate()
        // The last token ends answers.
        settings.outputIDs = 460...49_151
        configuration.engine = .simulated(settings)
        #expect(
            throws: WorkerError.setting(
                name: "--output-ids", value: "49151", allowed: "0 to 49150")
        ) {
            try configuration.validate()
        }
    }

    @Test func listensOnTCPWithAPortOfTheSystemsChoice() async throws {
        let worker = try await SimulatedWorker.start {
            $0.listen = .tcp(host: "127.0.0.1", port: 0)
        }
        guard case .tcp(_, let port) = worker.runtime.listenAddress else {
            Issue.record("\(worker.runtime.listenAddress)")
            return
        }
        #expect(port > 0)
        let client = try await worker.client()
        let request = worker.request(1, tokens: 5)
        #expect(try await client.generate(request).tokens == worker.expected(request))
        await worker.stop()
    }
}
