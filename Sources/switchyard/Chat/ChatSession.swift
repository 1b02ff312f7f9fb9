import ArgumentParser
import Foundation

/// Reads lines and asks the server, until there are no more. One task owns it.
final class ChatSession {
    private let client: ChatClient
    private var conversation: Conversation
    private let interrupts: AsyncStream<Int32>
    private let screen: ChatScreen
    private var model = ""

    init(
        client: ChatClient, conversation: Conversation, interrupts: AsyncStream<Int32>,
        screen: ChatScreen
    ) {
        self.client = client
        self.conversation = conversation
        self.interrupts = interrupts
        self.screen = screen
    }

    private enum Happening: Sendable {
        case line(String)
        case endOfInput
        case interrupt
        case answer(ChatEvent)
    }

    /// Everything that can happen, in one order.
    private let happenings = AsyncStream.makeStream(of: Happening.self)

    /// - Parameter model: the first that the server lists when nil.
    func run(model name: String?) async -> ExitCode {
        do throws(ChatFailure) {
            if let name { model = name } else { model = try await client.firstModel() }
        } catch {
            screen.error(error.message)
            return error.exitCode
        }
        if screen.isTerminal { screen.note("\(model) at \(client.address.text); /help") }
        let input = ChatInput()
        let following = Task { [interrupts, continuation = happenings.continuation] in
            for await _ in interrupts { continuation.yield(.interrupt) }
        }
        defer { following.cancel() }
        var iterator = happenings.stream.makeAsyncIterator()
        while true {
            guard let text = await nextMessage(input, &iterator) else { return .success }
            if screen.isTerminal, text.hasPrefix("/") {
                if await command(text) { return .success }
                continue
            }
            let code = await ask(text, &iterator)
            if !screen.isTerminal, code != .success { return code }
        }
    }

    // MARK: Input

    /// The next message; nil at the end of the input.
    private func nextMessage(
        _ input: ChatInput, _ iterator: inout AsyncStream<Happening>.Iterator
    ) async -> String? {
        var message = ""
        var isContinued = false
        while true {
            screen.prompt(isContinued ? "…" : ">")
            input.read { [continuation = happenings.continuation] line in
                continuation.yield(line.map { .line($0) } ?? .endOfInput)
            }
            var line: String?
            waiting: while let happening = await iterator.next(isolation: nil) {
                switch happening {
                case .line(let text):
                    line = text
                    break waiting
                case .endOfInput:
                    if screen.isTerminal { screen.newline() }
                    return message.isEmpty ? nil : message
                case .interrupt:
                    guard screen.isTerminal else { return nil }
                    // The terminal has forgotten what was typed.
                    (message, isContinued) = ("", false)
                    screen.newline()
                    screen.prompt(">")
                case .answer: break
                }
            }
            guard let line else { return nil }
            if screen.isTerminal, line.hasSuffix("\\") {
                message += line.dropLast() + "\n"
                isContinued = true
                continue
            }
            message += line
            guard message.contains(where: { !$0.isWhitespace }) else {
                (message, isContinued) = ("", false)
                continue
            }
            return message
        }
    }

    /// Whether it ends the program.
    private func command(_ text: String) async -> Bool {
        let words = text.split(separator: " ", maxSplits: 1).map(String.init)
        switch words[0] {
        case "/quit", "/exit": return true
        case "/reset":
            conversation.reset()
            screen.note("The conversation begins anew.")
        case "/model":
            if words.count > 1 { model = words[1].trimmingCharacters(in: .whitespaces) }
            screen.note("The model is \(model).")
        case "/history":
            for message in conversation.messages { screen.note("\(message.role): \(message.text)") }
            if conversation.messages.isEmpty { screen.note("Nothing was said yet.") }
        case "/help":
            screen.note("/reset  /model [NAME]  /history  /quit; Ctrl-C stops an answer.")
        default: screen.note("There is no command \(words[0]); /help lists them.")
        }
        return false
    }

    // MARK: Answers

    private func ask(
        _ text: String, _ iterator: inout AsyncStream<Happening>.Iterator
    ) async -> ExitCode {
        conversation.ask(text)
        let body: Data
        do {
            body = try conversation.request(model: model)
        } catch {
            preconditionFailure("a conversation is no JSON: \(error)")
        }
        let call = client.chat(body) { [continuation = happenings.continuation] in
            continuation.yield(.answer($0))
        }
        var answer = ""
        var hasOutput = false
        var code = ExitCode.success
        loop: while let happening = await iterator.next(isolation: nil) {
            switch happening {
            case .answer(.text(let piece)):
                if answer.isEmpty, hasOutput { screen.newline() }
                screen.answer(piece)
                answer += piece
                hasOutput = true
            case .answer(.reasoning(let piece)):
                screen.reasoning(piece)
                hasOutput = hasOutput || screen.isTerminal
            case .answer(.finished(let reason)):
                if hasOutput { screen.newline() }
                if reason == "length" { screen.note("(cut off: the answer reached its limit)") }
                break loop
            case .answer(.failed(let failure)):
                if hasOutput { screen.newline() }
                screen.error(failure.message)
                code = failure.exitCode
                break loop
            case .interrupt:
                call.cancel()
                if hasOutput { screen.newline() }
                guard screen.isTerminal else { return ExitCode(130) }
                screen.note("(stopped)")
                break loop
            case .line, .endOfInput: break
            }
        }
        conversation.answered(answer)
        return code
    }
}

/// Lines of standard input, read on a thread of their own, since that blocks.
final class ChatInput: Sendable {
    private let queue = DispatchQueue(label: "switchyard.chat.input")

    /// Reads one line; nil at the end.
    func read(_ completion: @escaping @Sendable (String?) -> Void) {
        queue.async { completion(readLine()) }
    }
}
