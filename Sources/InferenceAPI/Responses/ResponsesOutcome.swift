import InferenceTypes

/// A response's `status` and what goes with it.
enum ResponsesOutcome: Hashable, Sendable {
    case queued
    case inProgress
    case completed
    /// The only reason that we know: `max_output_tokens`.
    case incomplete
    /// Incomplete too: a budget allows no further token.
    case outOfBudget
    case cancelled
    case failed(APIError)

    init(_ reason: FinishReason) {
        switch reason {
        case .endOfSequence, .stopToken, .stopString, .toolCalls: self = .completed
        case .maxTokens, .contextFull, .timeLimit, .cancelled: self = .incomplete
        case .budget: self = .outOfBudget
        }
    }

    var name: StaticString {
        switch self {
        case .queued: "queued"
        case .inProgress: "in_progress"
        case .completed: "completed"
        case .incomplete, .outOfBudget: "incomplete"
        case .cancelled: "cancelled"
        case .failed: "failed"
        }
    }

    var isIncomplete: Bool { self == .incomplete || self == .outOfBudget }

    /// Of the item that was written when the answer ended.
    var lastItemStatus: StaticString { self == .completed ? "completed" : "incomplete" }
}

extension APIError {
    /// `response.error.code`, which is a closed set (OpenAI, `ResponseError`).
    var responsesCode: StaticString {
        switch kind.status.retry {
        case .after where kind == .rateLimited || kind == .concurrencyLimited:
            "rate_limit_exceeded"
        default: kind.status.grpc == .invalidArgument ? "invalid_prompt" : "server_error"
        }
    }
}
