import InferenceTypes
import NIOCore

/// Parts that whole answers and chunks share (API.md §4.1).
extension ByteBuffer {
    /// The `usage` object as xAI sends it. `completion_tokens` excludes reasoning, and
    /// `text_tokens` is the whole prompt, cached or not (API.md §8).
    mutating func writeChatUsage(_ usage: Usage) {
        writeStaticString("{\"prompt_tokens\":")
        writeJSONInteger(usage.promptTokens)
        writeStaticString(",\"completion_tokens\":")
        writeJSONInteger(usage.completionTokens)
        writeStaticString(",\"total_tokens\":")
        writeJSONInteger(usage.totalTokens)
        writeStaticString(",\"prompt_tokens_details\":{\"text_tokens\":")
        writeJSONInteger(usage.promptTokens)
        writeStaticString(",\"audio_tokens\":0,\"image_tokens\":0,\"cached_tokens\":")
        writeJSONInteger(usage.cachedTokens)
        writeStaticString("},\"completion_tokens_details\":{\"reasoning_tokens\":")
        writeJSONInteger(usage.reasoningTokens)
        writeStaticString(
            ",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}"
        )
        writeStaticString(",\"num_sources_used\":0,\"cost_in_usd_ticks\":")
        writeJSONInteger(Int(usage.costTicks))
        writeStaticString("}")
    }

    /// A field of ours, behind others, that says why an answer ended where `finish_reason` has one
    /// word for several reasons; nothing where that word is enough. SDKs ignore it.
    mutating func writeFinishDetail(_ reasons: some Sequence<FinishReason>) {
        guard reasons.contains(.budget) else { return }
        writeStaticString(",\"switchyard\":{\"finish_detail\":\"budget\"}")
    }

    /// `{"content":[…],"refusal":null}` (trap 12).
    mutating func writeChatLogprobs(_ logprobs: [ChatTokenLogprob]) {
        writeStaticString("{\"content\":")
        writeTokenLogprobs(logprobs)
        writeStaticString(",\"refusal\":null}")
    }

    /// The tokens as an array of objects.
    mutating func writeTokenLogprobs(_ logprobs: [ChatTokenLogprob]) {
        writeStaticString("[")
        for (index, entry) in logprobs.enumerated() {
            if index > 0 { writeStaticString(",") }
            writeChatCandidate(entry.token)
            writeStaticString(",\"top_logprobs\":[")
            for (rank, candidate) in entry.top.enumerated() {
                if rank > 0 { writeStaticString(",") }
                writeChatCandidate(candidate)
                writeStaticString("}")
            }
            writeStaticString("]}")
        }
        writeStaticString("]")
    }

    /// The fields of a token, its object left open.
    private mutating func writeChatCandidate(_ candidate: ChatTokenLogprob.Candidate) {
        writeStaticString("{\"token\":")
        // Parts of a code point show as U+FFFD here; `bytes` has them exactly.
        writeJSONString(String(decoding: candidate.bytes, as: UTF8.self))
        writeStaticString(",\"logprob\":")
        // OpenAI's stand-in for a probability of zero; JSON has no infinity.
        writeJSONNumber(candidate.logprob.isFinite ? candidate.logprob : -9999)
        writeStaticString(",\"bytes\":[")
        for (index, byte) in candidate.bytes.enumerated() {
            if index > 0 { writeStaticString(",") }
            writeJSONInteger(byte)
        }
        writeStaticString("]")
    }

    /// The fields of a call and the end of its object, whose beginning is the caller's.
    mutating func writeChatToolCall(_ call: ChatToolCall) {
        writeStaticString("\"id\":")
        writeJSONString(call.id)
        writeStaticString(",\"type\":\"function\",\"function\":{\"name\":")
        writeJSONString(call.name)
        writeStaticString(",\"arguments\":")
        writeJSONString(call.arguments)
        writeStaticString("}}")
    }
}
