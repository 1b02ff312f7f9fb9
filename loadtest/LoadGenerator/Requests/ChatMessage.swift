/// A message of a request.
struct ChatMessage: Equatable {
    enum Role: String { case system, user, assistant }

    var role: Role
    /// As the run's encoding has it: in JSON between the quotes, in xAI's messages plain UTF-8.
    var text: [UInt8]
}

/// How requests are written and answers read.
enum RequestEncoding {
    /// OpenAI's chat completions.
    case json
    /// xAI's gRPC messages.
    case xai

    func text(_ text: String) -> [UInt8] {
        switch self {
        case .json: ChatRequestBody.escaped(text)
        case .xai: Array(text.utf8)
        }
    }
}
