import ArgumentParser
import Foundation
import LoadGenerator

/// What the requests ask.
struct ChatOptions: ParsableArguments {
    @Option(help: "The model's name.")
    var model = "default"

    @Option(help: "Tokens of an answer, at most.")
    var maxTokens = 64

    @Flag(help: "Ask for exactly --max-tokens tokens (`ignore_eos`).")
    var ignoreEos = false

    @Option(help: "Sampling temperature.")
    var temperature = 0.0

    @Option(help: "Words of a made-up prompt, about a token each.")
    var promptTokens = 64

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

    var body: ChatRequestBody {
        var body = ChatRequestBody()
        body.model = model
        body.maxTokens = maxTokens
        body.ignoresEndOfSequence = ignoreEos
        body.temperature = temperature
        body.extraMembers = members
        return body
    }

    func prompts(seed: UInt64) throws -> PromptSource {
        guard let prompts else { return .words(tokens: promptTokens, seed: seed) }
        guard let data = FileManager.default.contents(atPath: prompts) else {
            throw ValidationError("--prompts \(prompts): cannot be read")
        }
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
        guard !lines.isEmpty else { throw ValidationError("--prompts \(prompts): no lines") }
        return .list(lines)
    }

    var probe: LoadConfiguration.Probe? {
        probePromptTokens.map {
            .init(promptTokens: $0, afterSeconds: probeAtSeconds, count: probeCount)
        }
    }

    func validate() throws {
        guard maxTokens > 0, promptTokens > 0, probePromptTokens ?? 1 > 0, probeCount > 0,
            probeAtSeconds >= 0
        else { throw ValidationError("numbers of tokens, probes and seconds must be positive") }
    }
}
