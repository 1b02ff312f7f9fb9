import GRPC
import HTTPTransport
import InferenceAPI
import NIOCore

/// The public port: finds a request's endpoint, checks its key, and hands it on. gRPC's requests
/// go to a router of their own.
struct GatewayService: HTTPService {
    let core: GatewayCore
    /// By number; at most a few dozen, so the search by identity is short.
    let loops: [ConnectionLoopHandle]
    private let requestIDs = RequestIDs()
    private let grpc: GRPCRouter

    /// - Parameter health: of `grpc.health.v1`, kept by the caller.
    init(core: GatewayCore, loops: [ConnectionLoopHandle], health: GRPCHealthService) {
        self.core = core
        self.loops = loops
        grpc = GRPCMethods.router(
            core: core, loops: loops, requestIDs: requestIDs, health: health)
    }

    func accept(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream
    ) -> any HTTPServerStreamReceiver {
        guard !GRPCRouter.isGRPC(head) else { return grpc.accept(head, stream) }
        let requestID =
            RequestHeaders.requestID(head.fields["x-request-id"]) ?? requestIDs.next()
        do {
            return try receiver(for: head, stream, requestID: requestID)
        } catch {
            core.metrics.refused(error)
            Answer.send(
                error, requestID: requestID, face: Self.errorFace(path: head.path), to: stream)
            return DiscardingReceiver(stream: stream)
        }
    }

    private func receiver(
        for head: HTTPRequestHead, _ stream: HTTPServerStream, requestID: String
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        let endpoint = try Endpoint.match(method: head.method, path: head.path)
        if endpoint.operation == .health {
            try requireReady()
            Answer.send(
                ByteBuffer(string: #"{"status":"ok"}"#), type: Answer.json, requestID: requestID,
                to: stream)
            return DiscardingReceiver(stream: stream)
        }
        let request = Request(
            head: head, stream: stream, id: requestID,
            principal: try core.authorize(head.fields))
        try request.principal.require(endpoint.operation)
        switch endpoint.operation {
        case .chatCompletions: return try generate(request, ChatFace())
        case .responses: return try generate(request, ResponsesFace())
        case .messages: return try generate(request, MessagesFace())
        case .countTokens: return try countTokens(request)
        case .completions: return try generate(request, CompletionsFace())
        case .complete: return try generate(request, LegacyCompleteFace())
        case .embeddings: return try embed(request)
        case .openAPI: answer(request, OpenAPIDocument.text)
        case .models, .model, .languageModels, .languageModel, .embeddingModels,
            .imageGenerationModels, .apiKey, .me:
            try list(endpoint, for: request)
        case .response: return try resumeResponse(request, endpoint)
        case .tokenizeText: return try tokenizeText(request)
        case .deleteResponse: return try deleteResponse(request, id: endpoint.id)
        case .cancelResponse: return try cancelResponse(request, id: endpoint.id)
        case .responseInputItems: return try responseInputItems(request, id: endpoint.id)
        case .deferredCompletion: return try deferredCompletion(request, id: endpoint.id)
        case .createFile: return try createFile(request)
        case .files: return try files(request)
        case .file: return try file(request, id: endpoint.id)
        case .deleteFile: return try deleteFile(request, id: endpoint.id)
        case .fileContent: return try fileContent(request, id: endpoint.id)
        case .createBatch: return try createBatch(request)
        case .batches: return try batches(request)
        case .batch: return try batch(request, id: endpoint.id)
        case .cancelBatch: return try cancelBatch(request, id: endpoint.id)
        case .addBatchRequests: return try addBatchRequests(request, id: endpoint.id)
        case .batchRequests: return try batchRequests(request, id: endpoint.id)
        case .batchResults: return try batchResults(request, id: endpoint.id)
        default: throw APIError(.routeNotFound, "There is nothing at this URL.")
        }
        return DiscardingReceiver(stream: stream)
    }

    /// A request whose endpoint and key are known.
    struct Request {
        let head: HTTPRequestHead
        let stream: HTTPServerStream
        let id: String
        let principal: Principal
    }

    /// A request that a model answers.
    func generate(
        _ request: Request, _ face: any RESTFace
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        try RequestHeaders.requireJSON(contentType: request.head.fields["content-type"])
        guard !core.status.isDraining else {
            throw APIError(.draining, "This gateway is shutting down; try another one.")
        }
        if let resumed = try resume(request, face) { return resumed }
        return RESTExchange(
            request.head, request.stream, face: face,
            context: try GenerationContext(
                request.head, requestID: request.id, principal: request.principal,
                arrival: core.clock()),
            on: connectionLoop(of: request.stream))
    }

    /// A request that is answered at once.
    func answer(_ request: Request, _ body: ByteBuffer) {
        Answer.send(
            body, type: Answer.json, requestID: request.id, for: request.head, to: request.stream)
    }

    /// A request that is answered from its body by `handler`, without a model.
    func answer(
        _ request: Request, face: any RESTFace = ChatFace(),
        from handler: @escaping BodyExchange.Handler
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        try RequestHeaders.requireJSON(contentType: request.head.fields["content-type"])
        return BodyExchange(
            request.head, request.stream, face: face, requestID: request.id,
            limitBytes: core.serving.current.configuration.limits.bodyLimitBytes,
            metrics: core.metrics, handler: handler)
    }

    /// Throws while no token could be generated.
    private func requireReady() throws(APIError) {
        guard !core.status.isReady else { return }
        throw core.status.isDraining
            ? APIError.shuttingDown
            : APIError(.noWorker, "No worker is ready.")
    }

    func connectionLoop(of stream: HTTPServerStream) -> ConnectionLoop {
        loops.onLoop(stream.eventLoop)
    }
}
