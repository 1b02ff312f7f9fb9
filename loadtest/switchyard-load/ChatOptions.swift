import ArgumentParser
import Foundation
import LoadGenerator

/// What the requests ask; with a scenario, what is given here holds for all its classes.
struct ChatOptions: ParsableArguments {
    @Option(help: "The model's name. Default: default.")
    var model: String?

    @Option(help: "Tokens of an answer, at most. Default: 64.")
    var maxTokens: Int?

    @Flag(help: "Ask for exactly --max-tokens tokens (`ignore_eos`).")
    var ignoreEos = false

    @Option(help: "Sampling temperature. Default: 0.")
    var temperature: Double?

    @Option(help: "Words of a made-up prompt, about a token each. Default: 64.")
    var promptTokens: Int?

    @Option(help: "A file with a prompt in each line, in place of made-up ones.")
    var prompts: String?

    @Option(
        name: .customLong("member"),
        help: "A further member of the request as JSON, such as '\"top_p\":0.9'. Repeatable.")
    var members: [String] = []

    @Option(help: "Throw in prompts of so many tokens among the running streams.")
    var probePromptTokens: Int?

    @Option(help: "When: from the start, and from one probe's end to the next.")
    var probeAtSeconds = 3.0

    @Option(help: "How many.")
    var probeCount = 1

    /// What is given here takes the place of what was there.
    func apply(to configuration: inout LoadConfiguration) throws {
        let prompt = try self.prompt
        configuration.classes = configuration.classes.map { traffic in
            var traffic = traffic
            if let model { traffic.model = model }
            if let maxTokens { traffic.output = .constant(Double(maxTokens)) }
            if ignoreEos { traffic.ignoresEndOfSequence = true }
            if let temperature { traffic.temperature = temperature }
            if let prompt { traffic.prompt = prompt }
            traffic.extraMembers += members
            return traffic
        }
        if let probePromptTokens {
            configuration.probe = .init(
                promptTokens: probePromptTokens, afterSeconds: probeAtSeconds, count: probeCount)
        }
    }

    private var prompt: TrafficClass.Prompt? {
        get throws {
            guard let prompts else { return promptTokens.map { .words(.constant(Double($0))) } }
            guard let data = FileManager.default.contents(atPath: prompts) else {
                throw ValidationError("--prompts \(prompts): cannot be read")
            }
            let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
            guard !lines.isEmpty else { throw ValidationError("--prompts \(prompts): no lines") }
            return .list(lines.map(String.init))
        }
    }

    func validate() throws {
        guard maxTokens ?? 1 > 0, promptTokens ?? 1 > 0, probePromptTokens ?? 1 > 0,
            probeCount > 0, probeAtSeconds >= 0
        else { throw ValidationError("numbers of tokens, probes and seconds must be positive") }
    }
}
