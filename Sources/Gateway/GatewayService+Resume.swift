import HTTPTransport
import InferenceAPI

extension GatewayService {
    /// `GET /v1/responses/{id}`; with `?stream=true` the events after number `starting_after`.
    func resumeResponse(
        _ request: Request, _ endpoint: Endpoint
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        let query = Query(of: request.head.path)
        guard try query.bool("stream") == true else {
            return try storedResponse(request, id: endpoint.id)
        }
        let after = try query.integer("starting_after", in: 0...Int.max)
        return try resume(request, ChatFace(), stream: endpoint.id, after: after ?? -1)
    }

    /// The rest of a stream that the client had before, when its request says so
    /// (`Last-Event-ID`); its body does not matter then.
    ///
    /// Throws `invalidHeader`, or `resourceNotFound` for a stream that is not kept.
    func resume(
        _ request: Request, _ face: any RESTFace
    ) throws(APIError) -> ResumedExchange? {
        guard let value = request.head.fields["last-event-id"] else { return nil }
        guard let id = EventID(value) else {
            throw APIError(
                .invalidHeader, "Expected the id of an event of this server.",
                parameter: "last-event-id")
        }
        return try resume(request, face, stream: id.stream, after: id.number)
    }

    /// The events of a stream after number `after`; -1: all.
    ///
    /// - Parameter stream: its own id or its answer's.
    /// Throws `resourceNotFound` for a stream that is not kept.
    func resume(
        _ request: Request, _ face: any RESTFace, stream: String, after: Int
    ) throws(APIError) -> ResumedExchange {
        guard let place = core.resumable.find(stream, of: request.principal.owner) else {
            throw APIError.streamGone
        }
        return ResumedExchange(
            request.stream, face: face, requestID: request.id, core: core,
            owner: loops[place.loop], streamID: place.stream, after: after)
    }
}
