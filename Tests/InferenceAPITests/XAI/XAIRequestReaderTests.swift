import InferenceTypes
import NIOCore
import SwiftProtobuf
import Testing
import XAIProto

@testable import InferenceAPI

typealias XAIRequest = XaiApi_GetCompletionsRequest

extension XAIRequest {
    /// One that is answered: a model and a question.
    static func valid(_ change: (inout XAIRequest) -> Void = { _ in }) -> XAIRequest {
        var request = XAIRequest.with {
            $0.model = "m"
            $0.messages = [.text(.roleUser, "Hi")]
        }
        change(&request)
        return request
    }
}

extension XaiApi_Message {
    static func text(_ role: XaiApi_MessageRole, _ texts: String...) -> XaiApi_Message {
        .with {
            $0.role = role
            $0.content = texts.map { text in .with { $0.text = text } }
        }
    }
}

extension Message {
    var buffer: ByteBuffer {
        get throws {
            let bytes: [UInt8] = try serializedBytes()
            return ByteBuffer(bytes: bytes)
        }
    }
}

@Suite struct XAIRequestReaderTests {
    private func chat(_ request: XAIRequest) throws -> ChatRequest {
        try XAIFace(isStreaming: false).decode(request.buffer, limits: ChatRequestLimits()).chat
    }

    @Test func theSmallestRequestHasDefaults() throws {
        let chat = try chat(.valid())
        #expect(
            chat == ChatRequest(model: "m", messages: [ChatMessage(role: .user, content: "Hi")]))
        #expect(chat.sampling.maxTokens == nil)
    }

    @Test func theMethodSaysWhetherItStreams() throws {
        let body = try XAIRequest.valid().buffer
        let streamed = try XAIFace(isStreaming: true).decode(body, limits: ChatRequestLimits())
        #expect(streamed.chat.isStreaming)
    }

    @Test func everyFieldArrives() throws {
        let chat = try chat(
            .valid {
                $0.n = 3
                $0.maxTokens = 7
                $0.seed = -1
                $0.stop = ["a", "b"]
                $0.temperature = 0
                $0.topP = 0.5
                $0.logprobs = true
                $0.topLogprobs = 8
                $0.frequencyPenalty = -2
                $0.presencePenalty = 2
                $0.reasoningEffort = .effortXhigh
                $0.parallelToolCalls = false
                $0.previousResponseID = "r"
                $0.storeMessages = true
                $0.serviceTier = .priority
                $0.user = "u"
                $0.safetyIdentifier = "s"
                $0.responseFormat.formatType = .jsonSchema
                $0.responseFormat.schema = #"{"type":"object"}"#
                $0.toolChoice.functionName = "f"
                $0.tools = [
                    .with {
                        $0.function.name = "f"
                        $0.function.description_p = "d"
                        $0.function.parameters = "{}"
                    }
                ]
            })
        #expect(chat.choiceCount == 3)
        #expect(chat.sampling.maxTokens == 7)
        #expect(chat.seed == .max)
        #expect(chat.stopStrings == ["a", "b"])
        #expect(chat.sampling.temperature == 0 && chat.sampling.topP == 0.5)
        #expect(chat.sampling.topLogprobs == 8)
        #expect(chat.sampling.frequencyPenalty == -2 && chat.sampling.presencePenalty == 2)
        #expect(chat.reasoningEffort == .xhigh)
        #expect(!chat.allowsParallelToolCalls)
        #expect(chat.previousResponseID == "r" && chat.isStored)
        #expect(chat.serviceTier == .priority)
        #expect(chat.user == "u")
        #expect(
            chat.responseFormat
                == .jsonSchema(name: nil, schema: #"{"type":"object"}"#, isStrict: true))
        #expect(chat.toolChoice == .function("f"))
        #expect(chat.tools == [ToolDefinition(name: "f", description: "d", parameters: "{}")])
    }

    @Test func messagesKeepWhatTheySay() throws {
        let chat = try chat(
            .valid {
                $0.messages = [
                    .text(.roleSystem, "Be"), .text(.roleDeveloper, "Do"),
                    .text(.roleUser, "one ", "two"),
                    .with {
                        $0.role = .roleAssistant
                        $0.reasoningContent = "hm"
                        // As xai-sdk sends an answer back.
                        $0.content = [.with { $0.text = "" }]
                        $0.toolCalls = [
                            .with {
                                $0.id = "c"
                                $0.type = .clientSideTool
                                $0.function.name = "f"
                            }
                        ]
                    },
                    .with {
                        $0.role = .roleTool
                        $0.toolCallID = "c"
                        $0.content = [.with { $0.text = "4" }]
                    },
                    // xai-sdk's `tool_result` without an id.
                    .text(.roleTool, "5"), .text(.roleFunction, "6"),
                ]
                $0.messages[2].name = "Ann"
            })
        #expect(
            chat.messages.map(\.role)
                == [.system, .developer, .user, .assistant, .tool, .tool, .function])
        #expect(
            chat.messages.map(\.content) == ["Be", "Do", "one two", nil, "4", "5", "6"])
        #expect(chat.messages[2].name == "Ann")
        #expect(chat.messages[3].reasoningContent == "hm")
        #expect(
            chat.messages[3].toolCalls == [ChatToolCall(id: "c", name: "f", arguments: "{}")])
        #expect(chat.messages[4].toolCallID == "c")
    }

    @Test func whatIsNotKnownIsIgnored() throws {
        var bytes: [UInt8] = try XAIRequest.valid {
            $0.include = [.verboseStreaming]
            $0.maxTurns = 3
            $0.agentCount = .agentCount4
            $0.useEncryptedContent = true
            $0.searchParameters.mode = .offSearchMode
            $0.serviceTier = .UNRECOGNIZED(9)
        }.serializedBytes()
        // Field 1000, a varint.
        bytes += [0xC0, 0x3E, 0x01]
        let chat = try XAIFace(isStreaming: false).decode(
            ByteBuffer(bytes: bytes), limits: ChatRequestLimits()
        ).chat
        #expect(
            chat == ChatRequest(model: "m", messages: [ChatMessage(role: .user, content: "Hi")]))
    }

    static let refused: [(parameter: String, kind: APIErrorKind, request: XAIRequest)] = [
        ("model", .missingParameter, .valid { $0.model = "" }),
        ("model", .invalidValue, .valid { $0.model = String(repeating: "m", count: 513) }),
        ("messages", .missingParameter, .valid { $0.messages = [] }),
        ("messages[0].role", .invalidValue, .valid { $0.messages[0].role = .invalidRole }),
        ("messages[0].role", .invalidValue, .valid { $0.messages[0].role = .UNRECOGNIZED(77) }),
        ("messages[0].content", .missingParameter, .valid { $0.messages[0].content = [] }),
        (
            "messages[0].content[1]", .unsupported,
            .valid { $0.messages[0].content.append(.with { $0.imageURL.imageURL = "http://i" }) }
        ),
        (
            "messages[0].content[0]", .unsupported,
            .valid { $0.messages[0].content = [.with { $0.file.fileID = "f" }] }
        ),
        (
            "messages[0].content[0]", .invalidValue,
            .valid { $0.messages[0].content = [XaiApi_Content()] }
        ),
        (
            "messages[0].encrypted_content", .unsupported,
            .valid {
                $0.messages[0] = .with {
                    $0.role = .roleAssistant
                    $0.encryptedContent = "opaque"
                }
            }
        ),
        (
            "messages[0].tool_calls", .invalidValue,
            .valid { $0.messages[0].toolCalls = [.with { $0.function.name = "f" }] }
        ),
        (
            "messages[0].tool_calls[0].type", .unsupported,
            .valid {
                $0.messages[0].role = .roleAssistant
                $0.messages[0].toolCalls = [
                    .with {
                        $0.type = .webSearchTool
                        $0.function.name = "f"
                    }
                ]
            }
        ),
        (
            "messages[0].tool_calls[0].function", .missingParameter,
            .valid {
                $0.messages[0].role = .roleAssistant
                $0.messages[0].toolCalls = [.with { $0.id = "c" }]
            }
        ),
        ("n", .invalidValue, .valid { $0.n = 0 }),
        ("n", .invalidValue, .valid { $0.n = 129 }),
        ("max_tokens", .invalidValue, .valid { $0.maxTokens = 0 }),
        ("max_tokens", .invalidValue, .valid { $0.maxTokens = .min }),
        ("temperature", .invalidValue, .valid { $0.temperature = 2.5 }),
        ("temperature", .invalidValue, .valid { $0.temperature = .nan }),
        ("temperature", .invalidValue, .valid { $0.temperature = .infinity }),
        ("top_p", .invalidValue, .valid { $0.topP = -0.1 }),
        ("frequency_penalty", .invalidValue, .valid { $0.frequencyPenalty = 3 }),
        ("presence_penalty", .invalidValue, .valid { $0.presencePenalty = -3 }),
        ("top_logprobs", .invalidValue, .valid { $0.topLogprobs = 1 }),
        (
            "top_logprobs", .invalidValue,
            .valid {
                $0.logprobs = true
                $0.topLogprobs = 9
            }
        ),
        ("stop", .invalidValue, .valid { $0.stop = Array(repeating: "s", count: 17) }),
        ("stop[1]", .invalidValue, .valid { $0.stop = ["s", ""] }),
        ("stop[0]", .invalidValue, .valid { $0.stop = [String(repeating: "s", count: 257)] }),
        (
            "response_format.schema", .missingParameter,
            .valid { $0.responseFormat.formatType = .jsonSchema }
        ),
        (
            "response_format.schema", .invalidValue,
            .valid {
                $0.responseFormat.formatType = .jsonSchema
                $0.responseFormat.schema = "{"
            }
        ),
        (
            "response_format.format_type", .invalidValue,
            .valid { $0.responseFormat.formatType = .UNRECOGNIZED(9) }
        ),
        ("tools[0]", .unsupported, .valid { $0.tools = [.with { $0.webSearch = .init() }] }),
        ("tools[0]", .unsupported, .valid { $0.tools = [XaiApi_Tool()] }),
        (
            "tools[0].function.name", .missingParameter,
            .valid { $0.tools = [.with { $0.function = .init() }] }
        ),
        (
            "tools[0].function.parameters", .invalidValue,
            .valid {
                $0.tools = [
                    .with {
                        $0.function.name = "f"
                        $0.function.parameters = "[]"
                    }
                ]
            }
        ),
        ("tool_choice.mode", .invalidValue, .valid { $0.toolChoice.mode = .required }),
        ("tool_choice.function_name", .invalidValue, .valid { $0.toolChoice.functionName = "f" }),
        (
            "search_parameters.mode", .unsupported,
            .valid { $0.searchParameters.mode = .onSearchMode }
        ),
        ("guidelines", .unsupported, .valid { $0.guidelines = [.init()] }),
    ]

    @Test(arguments: refused.indices)
    func refusalsNameTheField(_ index: Int) throws {
        let (parameter, kind, request) = Self.refused[index]
        let error = #expect(throws: APIError.self) { try chat(request) }
        #expect(error?.parameter == parameter)
        #expect(error?.kind == kind)
        #expect(error?.message.hasPrefix("'\(parameter)': ") == true)
        #expect(error?.kind.status.grpc == .invalidArgument)
    }

    @Test(
        arguments: [
            // A length beyond the end, a string that is not UTF-8, a tag of field 0.
            [0x12, 0x7F], [0x12, 0x01, 0xFF], [0x00], [0x0A, 0x02, 0x10],
        ] as [[UInt8]])
    func bytesThatAreNoRequestAreRefused(_ bytes: [UInt8]) {
        let error = #expect(throws: APIError.self) {
            try XAIFace(isStreaming: false).decode(
                ByteBuffer(bytes: bytes), limits: ChatRequestLimits())
        }
        #expect(error?.kind == .invalidValue)
    }

    @Test func settingsAreEchoedWithDefaults() throws {
        let settings = XAIRequest.valid { $0.maxTokens = 5 }.effectiveSettings
        #expect(settings.maxTokens == 5 && settings.temperature == 1 && settings.topP == 1)
        #expect(settings.parallelToolCalls)
        #expect(settings.toolChoice.mode == .auto)
        #expect(settings.responseFormat.formatType == .text)
        #expect(!settings.hasPreviousResponseID && !settings.hasReasoningEffort)
    }

    @Test func sampleTextHasPromptsInsteadOfMessages() throws {
        let request = XaiApi_SampleTextRequest.with {
            $0.model = "m"
            $0.prompt = ["a", "b"]
            $0.n = 2
            $0.maxTokens = 3
            $0.stop = ["x"]
            $0.user = "u"
        }
        let chat = try XAISampleFace(isStreaming: true).decode(
            request.buffer, limits: ChatRequestLimits()
        ).chat
        #expect(chat.rawPrompts == [.text("a"), .text("b")])
        #expect(chat.totalChoices == 4 && chat.isStreaming)
        #expect(chat.sampling.maxTokens == 3 && chat.stopStrings == ["x"] && chat.user == "u")
        let none = #expect(throws: APIError.self) {
            try XAISampleFace(isStreaming: false).decode(
                XaiApi_SampleTextRequest.with { $0.model = "m" }.buffer,
                limits: ChatRequestLimits())
        }
        #expect(none?.parameter == "prompt")
        let many = #expect(throws: APIError.self) {
            try XAISampleFace(isStreaming: false).decode(
                XaiApi_SampleTextRequest.with {
                    $0.model = "m"
                    $0.prompt = ["a", "b"]
                    $0.n = 100
                }.buffer, limits: ChatRequestLimits())
        }
        #expect(many?.parameter == "n")
    }
}
