import InferenceAPI

/// Faces by the names under which requests are stored, and by the endpoints that they serve.
enum Faces {
    private static let all: [(face: any Face, path: String)] = [
        (ChatFace(), "/v1/chat/completions")
    ]

    static func named(_ name: String) -> (any Face)? {
        all.first { $0.face.name == name }?.face
    }

    /// The face of an endpoint that generates.
    static func at(_ path: String) -> (any Face)? {
        all.first { $0.path == path }?.face
    }

    /// Where requests of that face go; its name where that is no path.
    static func path(of name: String) -> String {
        all.first { $0.face.name == name }?.path ?? name
    }
}
