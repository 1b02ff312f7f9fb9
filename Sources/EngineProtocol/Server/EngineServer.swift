package import GRPC
import NIOCore

/// `vllm.grpc.engine.VllmEngine` in front of an `EngineService`.
package enum EngineServer {
    /// `/package.Service/` of every method's path.
    package static let pathPrefix = "/vllm.grpc.engine.VllmEngine/"

    /// Adds the methods. FlushCache, StartProfile and StopProfile are not
    /// added and so answer UNIMPLEMENTED.
    package static func register(
        _ service: any EngineService, limits: EngineRequestLimits = EngineRequestLimits(),
        in router: inout GRPCRouter
    ) {
        router.add(pathPrefix + "Generate") { message, call in
            do throws(GRPCStatus) {
                let request = try EngineMessages.generateRequest(
                    message, call.metadata, limits: limits)
                let engineCall = EngineServerCall(call, request, service)
                service.generate(request, engineCall)
                return engineCall
            } catch {
                call.finish(error)
                return nil
            }
        }
        router.add(
            pathPrefix + "Embed",
            singleRequest: { message, call in
                let embedCall = EngineEmbedCall(call)
                do throws(GRPCStatus) {
                    service.embed(
                        try EngineMessages.embedRequest(message, call.metadata, limits: limits),
                        embedCall)
                } catch {
                    embedCall.fail(error)
                }
                return embedCall
            })
        router.add(
            pathPrefix + "GetTokenizer",
            singleRequest: { _, call in
                EngineTokenizerCall(call, service.tokenizer(on: call.eventLoop))
            })
        router.add(pathPrefix + "Abort") { message, call throws(GRPCStatus) in
            service.abort(try EngineMessages.abortRequest(message), on: call.eventLoop)
            return ByteBuffer()
        }
        router.add(pathPrefix + "HealthCheck") { _, _ throws(GRPCStatus) in
            try EngineMessages.encode(service.health())
        }
        router.add(pathPrefix + "GetModelInfo") { _, _ throws(GRPCStatus) in
            try EngineMessages.encode(service.modelInfo())
        }
        router.add(pathPrefix + "GetServerInfo") { _, _ throws(GRPCStatus) in
            try EngineMessages.encode(service.serverInfo())
        }
        router.add(pathPrefix + "SubscribeKvEvents") { message, call in
            do throws(GRPCStatus) {
                // Whatever the subscriber has seen, it begins with a snapshot.
                _ = try EngineMessages.subscription(message)
                let eventCall = EngineEventCall(call, service)
                service.subscribe(eventCall)
                return eventCall
            } catch {
                call.finish(error)
                return nil
            }
        }
        router.add(pathPrefix + "GetLoads") { message, _ throws(GRPCStatus) in
            let rank = try EngineMessages.loadsRequest(message)
            var loads = service.loads()
            if let rank { loads.ranks.removeAll { $0.rank != rank } }
            return try EngineMessages.encode(loads)
        }
    }
}

/// Bounds of a `Generate` request; over them it gets INVALID_ARGUMENT.
package struct EngineRequestLimits: Sendable, Equatable {
    /// Prompt tokens; the model's context is checked by the worker.
    package var promptTokens: Int
    /// `n`.
    package var choices: Int
    package var stopTokens: Int
    package var logitBiases: Int
    /// Bytes of a grammar.
    package var grammarBytes: Int
    /// Bytes of `request_id`.
    package var requestIDBytes: Int

    package init(
        promptTokens: Int = 4 << 20, choices: Int = 128, stopTokens: Int = 1024,
        logitBiases: Int = 1024, grammarBytes: Int = 1 << 20, requestIDBytes: Int = 256
    ) {
        self.promptTokens = promptTokens
        self.choices = choices
        self.stopTokens = stopTokens
        self.logitBiases = logitBiases
        self.grammarBytes = grammarBytes
        self.requestIDBytes = requestIDBytes
    }
}
