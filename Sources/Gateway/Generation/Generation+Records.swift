import Foundation
import InferenceAPI
import InferenceTypes

/// What is kept of a request when it has ended: its line of the access log, its trace, its part in
/// its tenant's service level.
extension Generation {
    func countServiceLevel(_ end: GenerationEnd, _ usage: Usage) {
        var sample = ServiceLevels.Sample(end: .other, usage: usage)
        switch end {
        case .finished: sample.end = .finished
        case .failed(let error):
            if error.kind.isCallersLimit { sample.end = .limited }
            if error.kind.isFleetState { sample.end = .shed }
        case .abandoned: break
        // It is counted when it runs.
        case .accepted: return
        }
        if let firstToken, let lastToken {
            sample.firstTokenNanoseconds = firstToken.nanoseconds(since: context.arrival)
            sample.tokensNanoseconds = lastToken.nanoseconds(since: firstToken)
        }
        core.serviceLevels.add(
            sample,
            of: .init(
                tenant: context.caller.principal.tenantID,
                tier: request.map { tier(of: $0) } ?? .standard),
            against: limits.serviceLevels)
    }

    func outcome(
        _ end: GenerationEnd, _ record: AccessRecord, _ usage: Usage
    ) -> RequestTrace.Outcome {
        let request = request
        var outcome = RequestTrace.Outcome(
            operation: request?.rawPrompts.isEmpty ?? true ? "chat" : "text_completion",
            record: record, authority: context.authority)
        outcome.request = request
        outcome.requestedModel = request?.model
        outcome.answerID = answerID
        outcome.reasoningTokens = usage.reasoningTokens
        outcome.firstToken = firstToken
        if case .failed(let error) = end { outcome.isServerFault = error.kind.isServerFault }
        return outcome
    }

    func accessRecord(
        _ end: GenerationEnd, _ usage: Usage, nanoseconds: Int64
    ) -> AccessRecord {
        func milliseconds(_ instant: Instant?, since start: Instant) -> Double? {
            instant.map { Double($0.nanoseconds(since: start)) / 1e6 }
        }
        let request = request
        var record = AccessRecord(
            time: Date().timeIntervalSince1970 - Double(nanoseconds) / 1e9,
            requestID: context.requestID,
            totalMilliseconds: Double(nanoseconds) / 1e6, status: 200)
        record.traceID = trace?.context.traceID.text
        record.note(context.caller.principal)
        record.tierAsked = request?.serviceTier?.name
        record.tier = request.map { tier(of: $0).name }
        record.model = (prepared?.pool ?? forwarded?.chat.pool)?.model.name
        record.isStream = request?.isStreaming ?? false
        record.choices = request?.totalChoices ?? 0
        record.promptTokens = usage.promptTokens
        record.cachedTokens = usage.cachedTokens
        record.completionTokens = usage.completionTokens
        record.queueMilliseconds = milliseconds(started, since: submitted)
        record.firstTokenMilliseconds = milliseconds(firstToken, since: context.arrival)
        if let firstToken, usage.completionTokens > 1 {
            record.perTokenMilliseconds = milliseconds(lastToken, since: firstToken).map {
                $0 / Double(usage.completionTokens - 1)
            }
        }
        record.finishReasons = finishReasons.map(\.accessLogName)
        record.finish(end)
        if isReaderStalled { record.error = "reader_stalled" }
        record.workers = workers
        (record.retries, record.resumes) = (retries, resumes)
        return record
    }
}

extension FinishReason {
    /// As clients are told, but for what no client hears of.
    var accessLogName: String {
        switch self {
        case .endOfSequence, .stopToken, .stopString: "stop"
        case .toolCalls: "tool_calls"
        case .maxTokens, .contextFull: "length"
        case .timeLimit: "time_limit"
        case .budget: "budget"
        case .cancelled: "cancelled"
        }
    }
}
