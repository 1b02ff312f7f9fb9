import InferenceTypes
import NIOCore

/// The response object (OpenAI, "The response object").
extension ResponsesFormat {
    func write(
        _ head: ChatResponseHead, _ outcome: ResponsesOutcome, _ items: [ResponsesItem],
        _ usage: Usage?, into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString("{\"id\":")
        buffer.writeJSONString(head.id)
        buffer.writeStaticString(",\"object\":\"response\",\"created_at\":")
        buffer.writeJSONInteger(head.created)
        buffer.writeStaticString(",\"status\":\"")
        buffer.writeStaticString(outcome.name)
        buffer.writeStaticString("\",\"background\":")
        buffer.writeJSONBool(isBackground)
        Self.writeError(outcome, into: &buffer)
        buffer.writeStaticString(",\"model\":")
        buffer.writeJSONString(head.model)
        buffer.writeStaticString(",\"output\":[")
        for (index, item) in items.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            let isCut = index == items.count - 1 && !item.isWhole
            item.write(status: isCut ? outcome.lastItemStatus : "completed", into: &buffer)
        }
        buffer.writeStaticString("]")
        writeEcho(into: &buffer)
        buffer.writeStaticString(",\"service_tier\":")
        buffer.writeJSONString(head.serviceTier.name)
        buffer.writeStaticString(",\"usage\":")
        if let usage { Self.write(usage, into: &buffer) } else { buffer.writeStaticString("null") }
        if outcome == .outOfBudget { buffer.writeFinishDetail(CollectionOfOne(.budget)) }
        buffer.writeStaticString("}")
    }

    private static func writeError(_ outcome: ResponsesOutcome, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(",\"error\":")
        if case .failed(let error) = outcome {
            buffer.writeStaticString("{\"code\":\"")
            buffer.writeStaticString(error.responsesCode)
            buffer.writeStaticString("\",\"message\":")
            buffer.writeJSONString(error.message)
            buffer.writeStaticString("}")
        } else {
            buffer.writeStaticString("null")
        }
        buffer.writeStaticString(",\"incomplete_details\":")
        buffer.writeStaticString(
            outcome.isIncomplete ? "{\"reason\":\"max_output_tokens\"}" : "null")
    }

    /// What the request asked for, or what stands where it said nothing.
    private func writeEcho(into buffer: inout ByteBuffer) {
        buffer.writeStaticString(",\"instructions\":")
        buffer.writeJSONString(orNull: instructions)
        buffer.writeStaticString(",\"previous_response_id\":")
        buffer.writeJSONString(orNull: previousResponseID)
        buffer.writeStaticString(",\"store\":")
        buffer.writeJSONBool(isStored)
        buffer.writeStaticString(",\"max_output_tokens\":")
        buffer.writeJSONInteger(orNull: maxOutputTokens)
        buffer.writeStaticString(",\"max_tool_calls\":")
        buffer.writeJSONInteger(orNull: maxToolCalls)
        buffer.writeStaticString(",\"temperature\":")
        buffer.writeJSONNumber(temperature)
        buffer.writeStaticString(",\"top_p\":")
        buffer.writeJSONNumber(topP)
        buffer.writeStaticString(",\"top_logprobs\":")
        buffer.writeJSONInteger(topLogprobs)
        buffer.writeStaticString(",\"truncation\":\"disabled\",\"text\":{\"format\":")
        buffer.writeJSONText(textFormat)
        if let verbosity {
            buffer.writeStaticString(",\"verbosity\":")
            buffer.writeJSONString(verbosity)
        }
        buffer.writeStaticString("},\"reasoning\":{\"effort\":")
        buffer.writeJSONString(orNull: reasoningEffort?.rawValue)
        buffer.writeStaticString(",\"summary\":")
        buffer.writeJSONString(orNull: reasoningSummary)
        buffer.writeStaticString("},\"tools\":[")
        for (index, tool) in tools.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            tool.write(into: &buffer)
        }
        buffer.writeStaticString("],\"tool_choice\":")
        buffer.writeJSONText(toolChoice)
        buffer.writeStaticString(",\"parallel_tool_calls\":")
        buffer.writeJSONBool(allowsParallelToolCalls)
        buffer.writeStaticString(",\"metadata\":")
        buffer.writeJSONText(metadata)
        buffer.writeStaticString(",\"user\":")
        buffer.writeJSONString(orNull: user)
        buffer.writeStaticString(",\"safety_identifier\":")
        buffer.writeJSONString(orNull: safetyIdentifier)
        buffer.writeStaticString(",\"prompt_cache_key\":")
        buffer.writeJSONString(orNull: promptCacheKey)
    }

    /// `output_tokens` includes reasoning, other than in chat completions. What the cache did not
    /// have is computed, but nobody asks for it to be written: there is no price on it.
    private static func write(_ usage: Usage, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"input_tokens\":")
        buffer.writeJSONInteger(usage.promptTokens)
        buffer.writeStaticString(",\"input_tokens_details\":{\"cached_tokens\":")
        buffer.writeJSONInteger(usage.cachedTokens)
        buffer.writeStaticString(",\"cache_write_tokens\":0},\"output_tokens\":")
        buffer.writeJSONInteger(usage.completionTokens + usage.reasoningTokens)
        buffer.writeStaticString(",\"output_tokens_details\":{\"reasoning_tokens\":")
        buffer.writeJSONInteger(usage.reasoningTokens)
        buffer.writeStaticString("},\"total_tokens\":")
        buffer.writeJSONInteger(usage.totalTokens)
        buffer.writeStaticString("}")
    }
}

extension ResponsesFormat.Tool {
    fileprivate func write(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"type\":\"function\",\"name\":")
        buffer.writeJSONString(definition.name)
        buffer.writeStaticString(",\"description\":")
        buffer.writeJSONString(orNull: definition.description)
        buffer.writeStaticString(",\"parameters\":")
        buffer.writeJSONText(definition.parameters ?? "null")
        buffer.writeStaticString(",\"strict\":")
        buffer.writeStaticString(isStrict.map { $0 ? "true" : "false" } ?? "null")
        buffer.writeStaticString("}")
    }
}
