internal import Foundation
internal import InferenceTypes

/// What came out of a request whose answer is fetched later: the internal model, so that any face
/// can write it.
///
/// As bytes it is JSON with names of its own: what a version wrote, later ones read, whatever
/// becomes of the properties' names.
package enum StoredAnswer: Hashable, Sendable {
    case completion(Completion)
    /// A whole `chat.completion` of an upstream, as it is to be sent.
    case forwarded([UInt8])
    case failure(APIError)

    /// The bytes are not what `encoded` makes.
    package struct Unreadable: Error {}

    package init(encoded bytes: [UInt8]) throws(Unreadable) {
        let record: Record
        do {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            record = try decoder.decode(Record.self, from: Data(bytes))
        } catch {
            throw Unreadable()
        }
        if let completion = record.completion {
            self = .completion(try completion.model)
        } else if let forwarded = record.forwarded {
            self = .forwarded(Array(forwarded))
        } else if let failure = record.failure {
            self = .failure(failure.model)
        } else {
            throw Unreadable()
        }
    }

    package var encoded: [UInt8] {
        var record = Record()
        switch self {
        case .completion(let completion): record.completion = CompletionRecord(completion)
        case .forwarded(let body): record.forwarded = Data(body)
        case .failure(let error): record.failure = FailureRecord(error)
        }
        do {
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            return Array(try encoder.encode(record))
        } catch {
            preconditionFailure("a record that is no JSON: \(error)")
        }
    }

    private struct Record: Codable {
        var completion: CompletionRecord?
        var forwarded: Data?
        var failure: FailureRecord?
    }
}

private struct FailureRecord: Codable {
    var kind: String
    var message: String
    var parameter: String?

    init(_ error: APIError) {
        kind = error.kind.rawValue
        message = error.message
        parameter = error.parameter
    }

    var model: APIError {
        // A kind that this version does not have says least as `internal`.
        APIError(APIErrorKind(rawValue: kind) ?? .internal, message, parameter: parameter)
    }
}

private struct CompletionRecord: Codable {
    var id: String
    var created: Int
    var modelName: String
    var fingerprint: String?
    var tier: String
    var choices: [ChoiceRecord]
    var promptTokens: Int
    var cachedTokens: Int
    var completionTokens: Int
    var reasoningTokens: Int
    /// Nil in what earlier versions stored.
    var costTicks: Int64?

    init(_ completion: Completion) {
        let head = completion.head
        id = head.id
        created = head.created
        modelName = head.model
        fingerprint = head.systemFingerprint
        tier = head.serviceTier.name
        choices = completion.choices.map { ChoiceRecord($0) }
        promptTokens = completion.usage.promptTokens
        cachedTokens = completion.usage.cachedTokens
        completionTokens = completion.usage.completionTokens
        reasoningTokens = completion.usage.reasoningTokens
        costTicks = completion.usage.costTicks
    }

    var model: Completion {
        get throws(StoredAnswer.Unreadable) {
            Completion(
                head: ChatResponseHead(
                    id: id, created: created, model: modelName, systemFingerprint: fingerprint,
                    serviceTier: ServiceTier(name: tier) ?? .standard),
                choices: try choices.map { choice throws(StoredAnswer.Unreadable) in
                    try choice.model
                },
                usage: Usage(
                    promptTokens: promptTokens, cachedTokens: cachedTokens,
                    completionTokens: completionTokens, reasoningTokens: reasoningTokens,
                    costTicks: costTicks ?? 0))
        }
    }
}

private struct ChoiceRecord: Codable {
    var content: String
    var reasoning: String?
    var toolCalls: [ChatToolCall]
    var logprobs: [LogprobRecord]?
    var finish: String
    /// Of `stop_string`.
    var stop: String?
    /// Of `stop_token`.
    var token: Int32?

    init(_ choice: Completion.Choice) {
        content = choice.content
        reasoning = choice.reasoningContent
        toolCalls = choice.toolCalls
        logprobs = choice.logprobs.map { $0.map { LogprobRecord($0) } }
        switch choice.finishReason {
        case .endOfSequence: finish = "end_of_sequence"
        case .stopToken(let id): (finish, token) = ("stop_token", id)
        case .stopString(let text): (finish, stop) = ("stop_string", text)
        case .toolCalls: finish = "tool_calls"
        case .maxTokens: finish = "max_tokens"
        case .contextFull: finish = "context_full"
        case .timeLimit: finish = "time_limit"
        case .budget: finish = "budget"
        case .cancelled: finish = "cancelled"
        }
    }

    var model: Completion.Choice {
        get throws(StoredAnswer.Unreadable) {
            var choice = Completion.Choice(content: content, finishReason: try reason)
            choice.reasoningContent = reasoning
            choice.toolCalls = toolCalls
            choice.logprobs = logprobs.map { $0.map(\.model) }
            return choice
        }
    }

    private var reason: FinishReason {
        get throws(StoredAnswer.Unreadable) {
            switch finish {
            case "end_of_sequence": .endOfSequence
            case "stop_token": .stopToken(token ?? 0)
            case "stop_string": .stopString(stop ?? "")
            case "tool_calls": .toolCalls
            case "max_tokens": .maxTokens
            case "context_full": .contextFull
            case "time_limit": .timeLimit
            case "budget": .budget
            case "cancelled": .cancelled
            default: throw StoredAnswer.Unreadable()
            }
        }
    }
}

private struct LogprobRecord: Codable {
    struct Candidate: Codable {
        var bytes: Data
        /// Nil for a probability of zero, whose logarithm JSON cannot say.
        var logprob: Float?

        init(_ candidate: ChatTokenLogprob.Candidate) {
            bytes = Data(candidate.bytes)
            logprob = candidate.logprob.isFinite ? candidate.logprob : nil
        }

        var model: ChatTokenLogprob.Candidate {
            ChatTokenLogprob.Candidate(bytes: Array(bytes), logprob: logprob ?? -.infinity)
        }
    }

    var token: Candidate
    var top: [Candidate]

    init(_ entry: ChatTokenLogprob) {
        token = Candidate(entry.token)
        top = entry.top.map { Candidate($0) }
    }

    var model: ChatTokenLogprob {
        ChatTokenLogprob(token: token.model, top: top.map(\.model))
    }
}
