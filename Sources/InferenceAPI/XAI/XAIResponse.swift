import Foundation
import InferenceTypes
import XAIProto

extension XaiApi_GetChatCompletionResponse {
    /// Everything but `settings`, which is of the request.
    init(_ completion: Completion) {
        self.init()
        let head = completion.head
        id = head.id
        model = head.model
        created.seconds = Int64(head.created)
        systemFingerprint = head.systemFingerprint ?? ""
        serviceTier = XaiApi_ServiceTier(head.serviceTier)
        usage = XaiApi_SamplingUsage(completion.usage)
        outputs = completion.choices.enumerated().map { index, choice in
            .with {
                $0.index = Int32(index)
                $0.finishReason = choice.finishReason.xai
                $0.message = XaiApi_CompletionMessage(choice)
                if let logprobs = choice.logprobs { $0.logprobs = XaiApi_LogProbs(logprobs) }
            }
        }
    }
}

extension XaiApi_CompletionMessage {
    init(_ choice: Completion.Choice) {
        self.init()
        // xai-sdk drops messages of any other role.
        role = .roleAssistant
        content = choice.content
        reasoningContent = choice.reasoningContent ?? ""
        toolCalls = choice.toolCalls.map { XaiApi_ToolCall($0) }
    }
}

extension XaiApi_ToolCall {
    init(_ call: ChatToolCall) {
        self.init()
        id = call.id
        type = .clientSideTool
        function.name = call.name
        // xai-sdk parses them whatever they are.
        function.arguments = call.arguments.isEmpty ? "{}" : call.arguments
    }
}

extension XaiApi_LogProbs {
    init(_ logprobs: [ChatTokenLogprob]) {
        self.init()
        content = logprobs.map { entry in
            .with {
                $0.token = entry.token.text
                $0.logprob = entry.token.logprob
                $0.bytes = entry.token.protoBytes
                $0.topLogprobs = entry.top.map { candidate in
                    .with {
                        $0.token = candidate.text
                        $0.logprob = candidate.logprob
                        $0.bytes = candidate.protoBytes
                    }
                }
            }
        }
    }
}

extension ChatTokenLogprob.Candidate {
    /// With U+FFFD for parts of a code point, which `bytes` has exactly.
    fileprivate var text: String { String(decoding: bytes, as: UTF8.self) }
    fileprivate var protoBytes: Data { Data(bytes) }
}

extension XaiApi_SamplingUsage {
    init(_ usage: Usage) {
        self.init()
        promptTokens = Int32(clamping: usage.promptTokens)
        completionTokens = Int32(clamping: usage.completionTokens)
        reasoningTokens = Int32(clamping: usage.reasoningTokens)
        totalTokens = Int32(clamping: usage.totalTokens)
        // All of them, cached ones included, as xAI's own answers have it.
        promptTextTokens = Int32(clamping: usage.promptTokens)
        cachedPromptTextTokens = Int32(clamping: usage.cachedTokens)
        if usage.costTicks > 0 { costInUsdTicks = usage.costTicks }
    }
}

extension XaiApi_ServiceTier {
    /// xAI's list has no name for batch work.
    init(_ tier: ServiceTier) {
        self =
            switch tier {
            case .priority: .priority
            case .standard: .default
            case .batch: .unspecified
            }
    }
}

extension FinishReason {
    /// Never REASON_INVALID: xai-sdk takes that for an answer that goes on.
    var xai: XaiApi_FinishReason {
        switch self {
        case .endOfSequence, .stopToken, .stopString: .reasonStop
        case .toolCalls: .reasonToolCalls
        case .maxTokens, .budget: .reasonMaxLen
        case .contextFull: .reasonMaxContext
        // A cancelled choice that still has a reader was cut short by an operator.
        case .timeLimit, .cancelled: .reasonTimeLimit
        }
    }
}

extension XaiApi_GetCompletionsRequest {
    /// What the request asks for, with the defaults of what it leaves out.
    var effectiveSettings: XaiApi_RequestSettings {
        .with {
            if hasMaxTokens { $0.maxTokens = maxTokens }
            $0.parallelToolCalls = hasParallelToolCalls ? parallelToolCalls : true
            if hasPreviousResponseID { $0.previousResponseID = previousResponseID }
            if hasReasoningEffort { $0.reasoningEffort = reasoningEffort }
            $0.temperature = hasTemperature ? temperature : SamplingParameters().temperature
            $0.topP = hasTopP ? topP : SamplingParameters().topP
            $0.responseFormat = responseFormat
            if responseFormat.formatType == .invalid { $0.responseFormat.formatType = .text }
            $0.toolChoice = toolChoice
            if toolChoice.toolChoice == nil { $0.toolChoice.mode = .auto }
            $0.tools = tools
            $0.user = user
            if hasSearchParameters { $0.searchParameters = searchParameters }
            $0.storeMessages = storeMessages
            $0.useEncryptedContent = useEncryptedContent
            $0.include = include
        }
    }
}
