import Foundation

/// What a person or a script sees. Control characters in what a model says do not reach a terminal:
/// they could move its cursor, or rename its window.
struct ChatScreen {
    let isTerminal: Bool

    private static let dim = "\u{1B}[2m"
    private static let bold = "\u{1B}[1m"
    private static let plain = "\u{1B}[0m"

    func prompt(_ text: String) {
        guard isTerminal else { return }
        write("\(Self.bold)\(text)\(Self.plain) ")
    }

    /// Part of an answer.
    func answer(_ text: String) {
        write(isTerminal ? Self.harmless(text) : text)
    }

    /// Part of what the model thinks before; not for scripts.
    func reasoning(_ text: String) {
        guard isTerminal else { return }
        write(Self.dim + Self.harmless(text) + Self.plain)
    }

    /// About the program, not part of any answer.
    func note(_ text: String) {
        if isTerminal { write("\(Self.dim)\(text)\(Self.plain)\n") } else { Output.error(text) }
    }

    func error(_ text: String) {
        Output.error("switchyard: \(isTerminal ? Self.harmless(text) : text)")
    }

    func newline() { write("\n") }

    private func write(_ text: String) {
        // As `Output`: nobody reads it any more.
        try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    }

    private static func harmless(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            let isControl = scalar.properties.generalCategory == .control
            result.unicodeScalars.append(
                isControl && scalar != "\n" && scalar != "\t" ? "\u{FFFD}" : scalar)
        }
        return result
    }
}
