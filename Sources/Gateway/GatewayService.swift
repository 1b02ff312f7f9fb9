import HTTPTransport
import InferenceAPI
import NIOCore

/// The public port: finds a request's endpoint, checks its key, and hands it on.
struct GatewayService: HTTPService {
    let core: GatewayCore
    /// By number; at most a few dozen, so the search by identity is short.
    let loops: [ConnectionLoopHandle]
    private let requestIDs = RequestIDs()

    init(core: GatewayCore, loops: [ConnectionLoopHandle]) {
        self.core = core
        self.loops = loops
    }

    func accept(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream
    ) -> any HTTPServerStreamReceiver {
        let requestID =
            RequestHeaders.requestID(head.fields["x-request-id"]) ?? requestIDs.next()
        do {
            return try receiver(for: head, stream, requestID: requestID)
        } catch {
            core.metrics.refused(error)
            Answer.send(error, requestID: requestID, to: stream)
            return DiscardingReceiver(stream: stream)
        }
    }

    private func receiver(
        for head: HTTPRequestHead, _ stream: HTTPServerStream, requestID: String
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        let endpoint = try Endpoint.match(method: head.method, path: head.path)
        if case .health = endpoint {
            try requireReady()
            Answer.send(
                ByteBuffer(string: #"{"status":"ok"}"#), type: Answer.json, requestID: requestID,
                to: stream)
            return DiscardingReceiver(stream: stream)
        }
        let keyName = try authorize(head)
        switch endpoint {
        case .chatCompletions:
            try RequestHeaders.requireJSON(contentType: head.fields["content-type"])
            guard !core.status.isDraining else {
                throw APIError(.draining, "This gateway is shutting down; try another one.")
            }
            return ChatExchange(
                head: head, stream: stream, connectionLoop: connectionLoop(of: stream),
                requestID: requestID,
                timeToFirstTokenMilliseconds: try RequestHeaders.ttftMilliseconds(
                    head.fields["x-slo-ttft-ms"]),
                keyName: keyName)
        case .models:
            Answer.send(
                core.serving.current.catalogue.listBody, type: Answer.json, requestID: requestID,
                for: head,
                to: stream)
        case .model(let id):
            var body = ByteBuffer()
            try core.serving.current.catalogue.list.find(id).write(into: &body)
            Answer.send(body, type: Answer.json, requestID: requestID, for: head, to: stream)
        case .deferredCompletion:
            throw APIError(.resourceNotFound, "There is no such deferred completion.")
        case .health: preconditionFailure("answered above, without a key")
        }
        return DiscardingReceiver(stream: stream)
    }

    /// Throws while no token could be generated.
    private func requireReady() throws(APIError) {
        guard !core.status.isReady else { return }
        throw core.status.isDraining
            ? APIError(.draining, "This gateway is shutting down.")
            : APIError(.noWorker, "No worker is ready.")
    }

    /// The name of the key, for logs; nil where none is asked for.
    private func authorize(_ head: HTTPRequestHead) throws(APIError) -> String? {
        guard let keys = core.serving.current.keys else { return nil }
        let key = try RequestHeaders.key(
            authorization: head.fields["authorization"], apiKey: head.fields["x-api-key"])
        guard let key else {
            throw APIError(.unauthenticated, "No API key was given: send 'Authorization: Bearer'.")
        }
        guard let name = keys.name(of: key) else {
            throw APIError(.invalidKey, "The API key is not known here.")
        }
        return name
    }

    private func connectionLoop(of stream: HTTPServerStream) -> ConnectionLoop {
        let eventLoop = stream.eventLoop
        for handle in loops where handle.eventLoop === eventLoop {
            guard let connectionLoop = handle.onLoop else { break }
            return connectionLoop
        }
        preconditionFailure("a connection on a loop that is not the gateway's")
    }

}
