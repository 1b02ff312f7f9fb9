import ArgumentParser
import Foundation
import Gateway
import Glibc

/// `switchyard chat`: a conversation in the terminal, or with a script.
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Chat with a model, in the terminal or from a script.",
        discussion: """
            At a terminal each line is a message; one that ends with a backslash goes on in the \
            next. Commands: /reset, /model [NAME], /history, /help, /quit. Ctrl-C stops an answer, \
            Ctrl-D ends. Otherwise each line of standard input is a message, answers go to \
            standard output, and the first failure ends the program.

            Exit status: 0; 1 the server refused or failed; 64 wrong usage; 69 no server; 130 \
            interrupted by Ctrl-C.
            """)

    @Option(help: "The server, http://host:port or https://host. Also SWITCHYARD_URL.")
    var url = ProcessInfo.processInfo.environment["SWITCHYARD_URL"] ?? "http://127.0.0.1:8080"
    @Option(help: "The model; without it the first that the server lists.") var model: String?
    @Option(help: "The API key. Also SWITCHYARD_API_KEY, which `ps` does not show.")
    var apiKey: String?
    @Option(help: "A message to begin with that tells the model how to be.") var system: String?
    @Option(help: "0 for always the likeliest token, up to 2.") var temperature: Double?
    @Option(help: "Most tokens of an answer.") var maxTokens: Int?
    @Option(help: "PEM certificates that an https server's must chain to.") var authority: String?

    func validate() throws {
        guard let address = UpstreamAddress(text: url), address.scheme != .h2c else {
            throw ValidationError("--url \(url): expected http://host:port or https://host")
        }
        if let temperature, !(0...2).contains(temperature) {
            throw ValidationError("--temperature \(temperature): expected 0 to 2")
        }
        if let maxTokens, maxTokens < 1 {
            throw ValidationError("--max-tokens \(maxTokens): expected at least 1")
        }
    }

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let interrupts = TerminationSignals.interrupts()
        guard let address = UpstreamAddress(text: url) else { return }
        let client: ChatClient
        do {
            client = try ChatClient(
                address, apiKey: apiKey ?? environment["SWITCHYARD_API_KEY"],
                authorityPath: authority)
        } catch {
            throw ValidationError("--authority: \(error)")
        }
        let isTerminal = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0
        var conversation = Conversation(system: system)
        conversation.temperature = temperature
        conversation.maxTokens = maxTokens
        let session = ChatSession(
            client: client, conversation: conversation, interrupts: interrupts,
            screen: ChatScreen(isTerminal: isTerminal))
        let code = await session.run(model: model)
        if code != .success { throw code }
    }
}
