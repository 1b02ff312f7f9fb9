import NIOCore

/// The bytes of all answers, rendered once, framing included. Every stream has the same tokens.
struct RenderedAnswers {
    static let words = [
        " time", " year", " people", " way", " day", " man", " thing", " woman", " life", " child",
        " world", " school", " state", " family", " student", " group",
    ]

    /// Head of a streamed response and the event with the role.
    let streamStart: ByteBuffer
    /// The last token's event, with the reason.
    let finish: ByteBuffer
    /// The end of a stream without usage.
    let done: ByteBuffer

    private let tokens: [ByteBuffer]
    /// A stamped token's event, without its stamp.
    private let beforeStamp: ByteBuffer
    private let afterStamp: ByteBuffer
    private let chunkStart: String
    private let wholeStart: String
    private let pages: [String: ByteBuffer]

    init(model: String, created: Int) {
        let identity = "\"created\":\(created),\"model\":\(Self.quoted(model)),"
        let start =
            "data: {\"id\":\"chatcmpl-simulated\",\"object\":\"chat.completion.chunk\"," + identity
        let choice = start + "\"choices\":[{\"index\":0,\"delta\":"
        let rest = "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
        chunkStart = start
        wholeStart = "{\"id\":\"chatcmpl-simulated\",\"object\":\"chat.completion\"," + identity

        let role = choice + "{\"role\":\"assistant\",\"content\":\"" + rest
        streamStart = ByteBuffer(
            string: "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
                + "cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
                + Self.chunk(role))
        tokens = Self.words.map {
            ByteBuffer(string: Self.chunk(choice + "{\"content\":\"" + $0 + rest))
        }
        finish = ByteBuffer(
            string: Self.chunk(
                choice + "{},\"logprobs\":null,\"finish_reason\":\"length\"}]}\n\n"))
        done = ByteBuffer(string: Self.chunk("data: [DONE]\n\n") + "0\r\n\r\n")

        // The stamp's place in a chunk whose length is already right.
        let stamp = String(repeating: "s", count: EventStamp.digits + 1)
        let stamped = Self.chunk(choice + "{\"content\":\"" + stamp + rest)
        let parts = stamped.split(separator: stamp, maxSplits: 1)
        beforeStamp = ByteBuffer(string: String(parts[0]))
        afterStamp = ByteBuffer(string: String(parts[1]))
        pages = Self.pages(model: Self.quoted(model), created: created)
    }

    func token(_ index: Int) -> ByteBuffer { tokens[index % tokens.count] }

    func stampedToken(_ nanoseconds: UInt64, _ allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = allocator.buffer(
            capacity: beforeStamp.readableBytes + afterStamp.readableBytes + EventStamp.digits + 1)
        buffer.writeImmutableBuffer(beforeStamp)
        EventStamp.append(nanoseconds, to: &buffer)
        buffer.writeImmutableBuffer(afterStamp)
        return buffer
    }

    /// The end of a stream whose client asked for usage.
    func doneWithUsage(prompt: Int, completion: Int) -> ByteBuffer {
        let usage = Self.usage(prompt: prompt, completion: completion)
        var buffer = ByteBuffer(
            string: Self.chunk(chunkStart + "\"choices\":[]," + usage + "}\n\n"))
        buffer.writeImmutableBuffer(done)
        return buffer
    }

    /// A whole answer, of so many tokens.
    func whole(prompt: Int, completion: Int) -> ByteBuffer {
        var text = ""
        for index in 0..<completion { text += Self.words[index % Self.words.count] }
        return Self.response(
            wholeStart + "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                + "\"content\":\"\(text)\"},\"logprobs\":null,\"finish_reason\":\"length\"}],"
                + Self.usage(prompt: prompt, completion: completion) + "}")
    }

    /// A response to a GET of `path`, without its query.
    func page(_ path: String) -> ByteBuffer? { pages[path] }

    static func refusal(_ status: String, _ message: String) -> ByteBuffer {
        response(
            "{\"error\":{\"message\":\"\(message)\",\"type\":\"invalid_request_error\"}}",
            status: status)
    }

    // MARK: Text

    /// What gateways ask a server that they are to use, in vLLM's and SGLang's words.
    private static func pages(model: String, created: Int) -> [String: ByteBuffer] {
        let models =
            "{\"object\":\"list\",\"data\":[{\"id\":\(model),\"object\":\"model\","
            + "\"created\":\(created),\"owned_by\":\"simulated\",\"max_model_len\":1048576}]}"
        let information =
            "{\"model_path\":\(model),\"tokenizer_path\":\(model),\"is_generation\":true,"
            + "\"served_model_name\":\(model),\"model_id\":\(model),\"version\":\"1\","
            + "\"dp_size\":1,\"tp_size\":1}"
        return [
            "/health": response("{\"status\":\"ok\"}"),
            "/health_generate": response("{\"status\":\"ok\"}"),
            "/ping": response("{}"),
            "/version": response("{\"version\":\"1\"}"),
            "/v1/models": response(models),
            "/get_model_info": response(information),
            "/model_info": response(information),
            "/get_server_info": response(information),
            "/server_info": response(information),
        ]
    }

    static func response(_ json: String, status: String = "200 OK") -> ByteBuffer {
        ByteBuffer(
            string: "HTTP/1.1 \(status)\r\ncontent-type: application/json\r\n"
                + "content-length: \(json.utf8.count)\r\n\r\n\(json)")
    }

    private static func usage(prompt: Int, completion: Int) -> String {
        "\"usage\":{\"prompt_tokens\":\(prompt),\"completion_tokens\":\(completion),"
            + "\"total_tokens\":\(prompt + completion)}"
    }

    private static func chunk(_ text: String) -> String {
        String(text.utf8.count, radix: 16) + "\r\n" + text + "\r\n"
    }

    /// A model's name as JSON; names have no control characters.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for character in text {
            if character == "\"" || character == "\\" { result += "\\" }
            result.append(character)
        }
        return result + "\""
    }
}
