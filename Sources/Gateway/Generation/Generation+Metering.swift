import Admission
import InferenceAPI
import InferenceTypes

/// What is billed of a request, and what it may cost.
extension Generation {
    /// False: the request was refused.
    func beginMetering(_ pool: Pool, _ request: ChatRequest) -> Bool {
        guard let meter = core.meter else { return true }
        if self.meter == nil {
            guard !meter.isFull else {
                end(.failed(.unrecordedUse))
                return false
            }
            self.meter = RequestMeter(meter, usageID: context.usageID, account: context.account)
        }
        self.meter?.prices(model: pool.model.name, tier: tier(of: request))
        return true
    }

    func endMetering(
        _ usage: Usage, positions: [Int], undelivered: Int, _ end: GenerationEnd
    ) {
        guard let meter else { return }
        // Nil of what was to be prepared anew: nothing was generated then.
        let request = request
        let pool = prepared?.pool ?? forwarded?.chat.pool
        let reasons = finishReasons.map(\.accessLogName)
        let isForwarded = forwarded != nil
        let ending: String? =
            switch end {
            case .finished, .accepted: nil
            case .failed(let error): error.kind.rawValue
            case .abandoned: "client_closed"
            }
        let generated = usage.completionTokens + usage.reasoningTokens
        meter.ended(
            requestID: context.requestID, model: pool?.model.name ?? "",
            tier: request.map(tier) ?? .standard, usage: usage,
            positions: isForwarded ? [generated] : positions,
            prompts: isForwarded
                ? [usage.promptTokens] : prepared?.prompts.map(\.tokens.count) ?? [],
            choicesPerPrompt: isForwarded ? 1 : request?.choiceCount ?? 1, undelivered: undelivered,
            finishReason: (reasons + [ending].compactMap(\.self)).joined(separator: ","))
    }

    /// Tokens that were accepted from workers and of which the client got nothing.
    func undeliveredTokens(_ end: GenerationEnd) -> Int {
        let all = choices.reduce(0) { $0 + $1.positions }
        switch end {
        case .finished, .accepted: return choices.reduce(0) { $0 + $1.undelivered }
        case .failed, .abandoned:
            // A whole answer was not sent at all.
            return request?.isStreaming ?? false
                ? choices.reduce(0) { $0 + $1.undelivered } : all
        }
    }

    /// For the choices of one prompt.
    func budgets(of promptTokens: Int, _ prepared: PreparedChat) -> [BudgetClaim] {
        let room = max(0, prepared.tokenizer.contextTokens - promptTokens)
        return meter?.claims(
            context.caller.principal, promptTokens: promptTokens,
            positionsMax: min(prepared.sampling.maxTokens ?? room, room),
            choices: prepared.request.choiceCount) ?? []
    }
}
