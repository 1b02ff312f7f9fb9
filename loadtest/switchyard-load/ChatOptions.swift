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

    @Option(help: "When: from the start, and from one probe's end to the next. Default: 3.")
    var probeAtSeconds: Double?

    @Option(help: "How many. Default: 1.")
    var probeCount: Int?

    private var hasProbe: Bool {
        probePromptTokens != nil || probeAtSeconds != nil || probeCount != nil
    }

    /// Whether any of these is on the command line.
    var isGiven: Bool {
        hasProbe || hasLengths || model != nil || ignoreEos || temperature != nil
            || !members.isEmpty
    }

    /// Whether they say how long requests are.
    var hasLengths: Bool { maxTokens != nil || promptTokens != nil || prompts != nil }

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
        guard hasProbe else { return }
        let former = configuration.probe
        guard let tokens = probePromptTokens ?? former?.promptTokens else {
            throw ValidationError("--probe options need --probe-prompt-tokens")
        }
        configuration.probe = .init(
            promptTokens: tokens, afterSeconds: probeAtSeconds ?? former?.afterSeconds ?? 3,
            count: probeCount ?? former?.count ?? 1)
    }

    private var prompt: TrafficClass.Prompt? {
        get throws {
            guard let prompts else { return promptTokens.map { .words(.constant(Double($0))) } }
            guard let data = FileManager.default.contents(atPath: prompts) else {
                throw ValidationError("--prompts \(prompts): cannot be read")
            }
            guard let list = TrafficClass.Prompt.list(lines: String(decoding: data, as: UTF8.self))
            else { throw ValidationError("--prompts \(prompts): no lines") }
            return list
        }
    }

    func validate() throws {
        try OptionRange.check("--max-tokens", maxTokens, in: 1...Trace.tokensMax)
        try OptionRange.check("--prompt-tokens", promptTokens, in: 1...TrafficClass.promptTokensMax)
        try OptionRange.check(
            "--probe-prompt-tokens", probePromptTokens, in: 1...TrafficClass.promptTokensMax)
        try OptionRange.check("--probe-at-seconds", probeAtSeconds, in: 0...86_400)
        try OptionRange.check("--probe-count", probeCount, in: 1...100_000)
        try OptionRange.check("--temperature", temperature, in: 0...100)
        guard prompts == nil || promptTokens == nil else {
            throw ValidationError("--prompts and --prompt-tokens exclude each other")
        }
    }
}
