import InferenceAPI
import InferenceTypes

extension RequestTrace {
    /// What a request's own span tells when it has ended, in the words of OpenTelemetry's semantic
    /// conventions for generative AI. No text of prompts or answers.
    struct Outcome {
        /// `gen_ai.operation.name`.
        var operation: String
        var record: AccessRecord
        /// Nil when the request was not understood.
        var requestedModel: String?
        /// Nil for what is no generation.
        var request: ChatRequest?
        /// Of the answer; nil when there was none.
        var answerID: String?
        /// The failure was not the caller's.
        var isServerFault = false
        var reasoningTokens = 0
        var firstToken: Instant?
        /// Host and port that the client called.
        var authority: String

        /// `{operation} {model}`, with a model that is served, so that names are few.
        var name: String { record.model.map { "\(operation) \($0)" } ?? operation }

        func write(into span: inout Span, firstToken: Int64?) {
            span.set("gen_ai.operation.name", .text(operation))
            span.set("gen_ai.provider.name", .text("x_ai"))
            writeRequest(into: &span)
            span.set("gen_ai.response.id", answerID.map { .text($0) })
            span.set("gen_ai.response.model", record.model.map { .text($0) })
            if !record.finishReasons.isEmpty {
                span.set("gen_ai.response.finish_reasons", .texts(record.finishReasons))
            }
            if requestedModel != nil {
                span.set("gen_ai.usage.input_tokens", .integer(record.promptTokens))
            }
            if request != nil {
                span.set("gen_ai.usage.output_tokens", .integer(record.completionTokens))
                span.set("gen_ai.usage.cache_read.input_tokens", .integer(record.cachedTokens))
                if reasoningTokens > 0 {
                    span.set("gen_ai.usage.reasoning.output_tokens", .integer(reasoningTokens))
                }
            }
            span.set("http.response.status_code", .integer(record.status))
            writeServer(into: &span)
            span.set("switchyard.request_id", .text(record.requestID))
            span.set("switchyard.tier", record.tier.map { .text($0) })
            span.set("switchyard.retries", .integer(record.retries))
            span.set("switchyard.resumes", .integer(record.resumes))
            if let firstToken {
                span.events.append(Span.Event(name: "gen_ai.first_token", time: firstToken))
            }
            guard let error = record.error else { return }
            span.set("error.type", .text(error))
            // The caller's own faults are no errors of a server's span, and neither is leaving.
            if isServerFault { span.error = error }
        }

        private func writeRequest(into span: inout Span) {
            span.set("gen_ai.request.model", requestedModel.map { .text($0) })
            guard let request else { return }
            let sampling = request.sampling
            span.set("gen_ai.request.max_tokens", sampling.maxTokens.map { .integer($0) })
            span.set("gen_ai.request.temperature", .number(Double(sampling.temperature)))
            span.set("gen_ai.request.top_p", .number(Double(sampling.topP)))
            if sampling.topK > 0 { span.set("gen_ai.request.top_k", .integer(sampling.topK)) }
            span.set(
                "gen_ai.request.frequency_penalty", .number(Double(sampling.frequencyPenalty)))
            span.set(
                "gen_ai.request.presence_penalty", .number(Double(sampling.presencePenalty)))
            if !request.stopStrings.isEmpty {
                // How many: what they say is the client's text.
                span.set("switchyard.request.stop_count", .integer(request.stopStrings.count))
            }
            span.set(
                "gen_ai.request.seed", request.seed.map { .integer(Int(truncatingIfNeeded: $0)) })
            if request.totalChoices > 1 {
                span.set("gen_ai.request.choice.count", .integer(request.totalChoices))
            }
            span.set("switchyard.stream", .flag(request.isStreaming))
        }

        private func writeServer(into span: inout Span) {
            let port = authority.split(separator: ":").last.flatMap { Int($0) }
            var host = Substring(authority)
            if let port { host = host.dropLast("\(port)".utf8.count + 1) }
            guard !host.isEmpty else { return }
            span.set("server.address", .text(String(host)))
            span.set("server.port", port.map { .integer($0) })
        }
    }
}
