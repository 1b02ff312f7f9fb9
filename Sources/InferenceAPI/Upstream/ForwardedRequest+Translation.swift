import InferenceTypes
import NIOCore

/// A request that did not come in the words of chat completions, written in them.
extension ForwardedRequest {
    /// Throws `unsupported` for what chat completions have no word for: prompts without turns,
    /// grammars.
    package init(translating request: ChatRequest) throws(APIError) {
        guard request.rawPrompts.isEmpty else {
            throw APIError(
                .unsupported,
                "The model `\(request.model)` is served by a server that takes conversations only.",
                parameter: "model")
        }
        var rest = ByteBuffer()
        rest.writeStaticString(",\"messages\":[")
        for (index, message) in request.messages.enumerated() {
            if index > 0 { rest.writeStaticString(",") }
            rest.write(message)
        }
        rest.writeStaticString("]")
        rest.write(request.sampling, of: request)
        rest.writeTools(of: request)
        try rest.write(request.responseFormat, parameter: request.names.responseFormat)
        if request.isStreaming {
            rest.writeStaticString(",\"stream\":true,\"stream_options\":{\"include_usage\":true}")
        }
        rest.writeStaticString("}")
        self.init(rest: rest)
    }
}

extension ByteBuffer {
    fileprivate mutating func write(_ message: ChatMessage) {
        writeStaticString("{\"role\":")
        // The newer name of `system`, which not every server knows.
        let role = message.role == .developer ? ChatRole.system : message.role
        writeJSONString(role.rawValue)
        writeStaticString(",\"content\":")
        writeJSONString(orNull: message.content)
        if let name = message.name {
            writeStaticString(",\"name\":")
            writeJSONString(name)
        }
        if let thoughts = message.reasoningContent {
            writeStaticString(",\"reasoning_content\":")
            writeJSONString(thoughts)
        }
        if let id = message.toolCallID {
            writeStaticString(",\"tool_call_id\":")
            writeJSONString(id)
        }
        if !message.toolCalls.isEmpty {
            writeStaticString(",\"tool_calls\":[")
            for (index, call) in message.toolCalls.enumerated() {
                if index > 0 { writeStaticString(",") }
                writeStaticString("{\"id\":")
                writeJSONString(call.id)
                writeStaticString(",\"type\":\"function\",\"function\":{\"name\":")
                writeJSONString(call.name)
                writeStaticString(",\"arguments\":")
                writeJSONString(call.arguments)
                writeStaticString("}}")
            }
            writeStaticString("]")
        }
        writeStaticString("}")
    }

    /// What is the default of every server is left out, since some refuse what they do not know.
    fileprivate mutating func write(_ sampling: SamplingParameters, of request: ChatRequest) {
        writeStaticString(",\"temperature\":")
        writeJSONNumber(sampling.temperature)
        if sampling.topP < 1 { writeNumber("top_p", sampling.topP) }
        if sampling.topK > 0 { writeInteger("top_k", sampling.topK) }
        if sampling.minP > 0 { writeNumber("min_p", sampling.minP) }
        if sampling.frequencyPenalty != 0 {
            writeNumber("frequency_penalty", sampling.frequencyPenalty)
        }
        if sampling.presencePenalty != 0 {
            writeNumber("presence_penalty", sampling.presencePenalty)
        }
        if sampling.repetitionPenalty != 1 {
            writeNumber("repetition_penalty", sampling.repetitionPenalty)
        }
        if let most = sampling.maxTokens { writeInteger("max_tokens", most) }
        if request.choiceCount > 1 { writeInteger("n", request.choiceCount) }
        if let seed = request.seed { writeInteger("seed", Int64(bitPattern: seed)) }
        if let top = sampling.topLogprobs {
            writeStaticString(",\"logprobs\":true")
            if top > 0 { writeInteger("top_logprobs", top) }
        }
        if !sampling.logitBias.isEmpty {
            writeStaticString(",\"logit_bias\":{")
            for (index, bias) in sampling.logitBias.enumerated() {
                if index > 0 { writeStaticString(",") }
                writeJSONString(String(bias.token))
                writeStaticString(":")
                writeJSONNumber(bias.bias)
            }
            writeStaticString("}")
        }
        if !request.stopStrings.isEmpty {
            writeStaticString(",\"stop\":[")
            for (index, stop) in request.stopStrings.enumerated() {
                if index > 0 { writeStaticString(",") }
                writeJSONString(stop)
            }
            writeStaticString("]")
        }
        if let effort = request.reasoningEffort {
            writeStaticString(",\"reasoning_effort\":")
            writeJSONString(effort.rawValue)
        }
        if let user = request.user {
            writeStaticString(",\"user\":")
            writeJSONString(user)
        }
    }

    fileprivate mutating func writeTools(of request: ChatRequest) {
        guard !request.tools.isEmpty else { return }
        writeStaticString(",\"tools\":[")
        for (index, tool) in request.tools.enumerated() {
            if index > 0 { writeStaticString(",") }
            writeStaticString("{\"type\":\"function\",\"function\":{\"name\":")
            writeJSONString(tool.name)
            if let description = tool.description {
                writeStaticString(",\"description\":")
                writeJSONString(description)
            }
            writeStaticString(",\"parameters\":")
            writeJSONText(tool.parameters ?? #"{"type":"object","properties":{}}"#)
            if tool.isStrict { writeStaticString(",\"strict\":true") }
            writeStaticString("}}")
        }
        writeStaticString("],\"tool_choice\":")
        switch request.toolChoice {
        case .none: writeStaticString("\"none\"")
        case .auto: writeStaticString("\"auto\"")
        case .required: writeStaticString("\"required\"")
        case .function(let name):
            writeStaticString("{\"type\":\"function\",\"function\":{\"name\":")
            writeJSONString(name)
            writeStaticString("}}")
        }
        if !request.allowsParallelToolCalls {
            writeStaticString(",\"parallel_tool_calls\":false")
        }
    }

    fileprivate mutating func write(
        _ format: ResponseFormat, parameter: String
    ) throws(APIError) {
        switch format {
        case .text: break
        case .jsonObject:
            writeStaticString(",\"response_format\":{\"type\":\"json_object\"}")
        case .jsonSchema(let name, let schema, let isStrict):
            writeStaticString(
                ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":")
            writeJSONString(name ?? "answer")
            writeStaticString(",\"schema\":")
            writeJSONText(schema)
            writeStaticString(",\"strict\":")
            writeJSONBool(isStrict)
            writeStaticString("}}")
        case .grammar:
            throw APIError(
                .unsupported, "'\(parameter)': The model's server takes no grammars.",
                parameter: parameter)
        }
    }

    private mutating func writeNumber(_ name: StaticString, _ value: Float) {
        writeName(name)
        writeJSONNumber(value)
    }

    private mutating func writeInteger(_ name: StaticString, _ value: some FixedWidthInteger) {
        writeName(name)
        writeJSONInteger(value)
    }

    private mutating func writeName(_ name: StaticString) {
        writeStaticString(",\"")
        writeStaticString(name)
        writeStaticString("\":")
    }
}
