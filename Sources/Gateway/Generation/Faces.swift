import InferenceAPI

/// Faces by the names under which requests are stored, and by the endpoints that they serve.
enum Faces {
    private static let all: [(face: any Face, path: String)] = [
        (ChatFace(), "/v1/chat/completions"), (ResponsesFace(), "/v1/responses"),
        (MessagesFace(), "/v1/messages"), (CompletionsFace(), "/v1/completions"),
        (LegacyCompleteFace(), "/v1/complete"), (XAIFace(isStreaming: false), ""),
    ]
    /// What requests over gRPC are called beside paths.
    private static let grpcPath = "xai_api.Chat/GetCompletion"

    static func named(_ name: String) -> (any Face)? {
        all.first { $0.face.name == name }?.face
    }

    /// The face of an endpoint that generates.
    static func at(_ path: String) -> (any Face)? {
        all.first { $0.path == path && !path.isEmpty }?.face
    }

    /// The endpoint of that face.
    static func operation(of name: String) throws(APIError) -> Endpoint.Operation {
        guard let path = all.first(where: { $0.face.name == name })?.path, !path.isEmpty else {
            // Over gRPC.
            return .chatCompletions
        }
        return try Endpoint.match(method: "POST", path: path).operation
    }

    /// Where requests of that face go; its name where that is no path.
    static func path(of name: String) -> String {
        let path = all.first { $0.face.name == name }?.path ?? name
        return path.isEmpty ? grpcPath : path
    }
}
