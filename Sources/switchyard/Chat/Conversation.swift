import Foundation

/// What was said so far, as the server is told it.
struct Conversation {
    struct Message {
        var role: String
        var text: String
    }

    let system: String?
    private(set) var messages: [Message] = []
    var temperature: Double?
    var maxTokens: Int?

    init(system: String?) {
        self.system = system
        reset()
    }

    mutating func reset() {
        messages = system.map { [Message(role: "system", text: $0)] } ?? []
    }

    mutating func ask(_ text: String) {
        messages.append(Message(role: "user", text: text))
    }

    /// What came of the last question; nothing of it when nothing came.
    mutating func answered(_ text: String) {
        if text.isEmpty {
            messages.removeLast()
        } else {
            messages.append(Message(role: "assistant", text: text))
        }
    }

    /// The body of `POST /v1/chat/completions`.
    func request(model: String) throws -> Data {
        var body: [String: Any] = [
            "model": model, "stream": true,
            "messages": messages.map { ["role": $0.role, "content": $0.text] },
        ]
        body["temperature"] = temperature
        body["max_tokens"] = maxTokens
        return try JSONSerialization.data(withJSONObject: body, options: [.sortedKeys])
    }
}
