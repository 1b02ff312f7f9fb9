import InferenceTypes
import NIOCore
import Testing

@testable import InferenceAPI

/// Parts of answers that the golden files use.
enum Sample {
    static let head = ChatResponseHead(
        id: "chatcmpl-1", created: 1_700_000_000, model: "grok-test", systemFingerprint: "fp_1",
        serviceTier: .standard)

    static let usage = Usage(
        promptTokens: 213, cachedTokens: 199, completionTokens: 2, reasoningTokens: 256)

    static let logprobs = [
        ChatTokenLogprob(
            token: .init(bytes: [72, 105], logprob: -0.25),
            top: [
                .init(bytes: [72, 105], logprob: -0.25),
                .init(bytes: [240, 159], logprob: -.infinity),
            ]),
        ChatTokenLogprob(token: .init(bytes: [34, 10], logprob: -1.5), top: []),
    ]
}

@Suite struct ChatCompletionResponseTests {
    @Test func equalsTheGoldenFile() throws {
        let first = Completion.Choice(
            content: "Hi\"\n\t\\ 漢😀\u{2028}", finishReason: .stopString("x"))
        var second = Completion.Choice(content: "", finishReason: .maxTokens)
        second.reasoningContent = "Think."
        second.logprobs = Sample.logprobs
        let response = Completion(
            head: Sample.head, choices: [first, second], usage: Sample.usage)
        #expect(
            try written { response.writeChat(into: &$0) } == Fixture.text("chat-completion.json"))
    }

    @Test func equalsTheGoldenFileWithoutOptionalParts() throws {
        var head = Sample.head
        head.systemFingerprint = nil
        head.serviceTier = .priority
        let response = Completion(
            head: head, choices: [.init(content: "Hello", finishReason: .endOfSequence)],
            usage: Usage(promptTokens: 5, completionTokens: 1))
        #expect(
            try written { response.writeChat(into: &$0) }
                == Fixture.text("chat-completion-minimal.json"))
    }

    @Test func finishReasonsAreOpenAIs() {
        let table: [(FinishReason, String)] = [
            (.endOfSequence, "stop"), (.stopToken(2), "stop"), (.stopString("x"), "stop"),
            (.maxTokens, "length"), (.contextFull, "length"), (.timeLimit, "length"),
            (.cancelled, "length"),
        ]
        for (reason, name) in table { #expect(reason.chatName.description == name) }
    }

    @Test func totalCountsReasoningOnce() {
        // 213 + 2 + 256, as recorded from api.x.ai.
        #expect(Sample.usage.totalTokens == 471)
    }

    @Test func trap12_logprobsHaveTheChatShape() throws {
        var choice = Completion.Choice(content: "Hi", finishReason: .maxTokens)
        choice.logprobs = Sample.logprobs
        let response = Completion(
            head: Sample.head, choices: [choice], usage: Usage())
        let value = try JSONValue(parsing: written { response.writeChat(into: &$0) })
        let logprobs = value["choices"]?[0]?["logprobs"]
        #expect(logprobs?.keys == ["content", "refusal"])
        #expect(logprobs?["content"]?[0]?.keys == ["token", "logprob", "bytes", "top_logprobs"])
        #expect(logprobs?["content"]?[1]?["top_logprobs"] == .array([]))
        #expect(logprobs?["content"]?[0]?["top_logprobs"]?[1]?["logprob"] == .double(-9999))
    }
}
