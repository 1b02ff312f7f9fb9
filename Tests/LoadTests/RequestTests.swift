import GRPC
import HTTPTransport
import NIOCore
import SwiftProtobuf
import Testing
import XAIProto

@testable import LoadGenerator

@Suite struct RequestTests {
    @Test func targetsAreRead() throws {
        let plain = try #require(LoadTarget(url: "http://127.0.0.1:8080"))
        #expect(plain.authority == "127.0.0.1:8080")
        #expect(plain.prefix == "")
        let prefixed = try #require(LoadTarget(url: "http://[::1]:80/api/"))
        #expect(prefixed.host == "::1")
        #expect(prefixed.authority == "[::1]:80")
        #expect(prefixed.prefix == "/api")
        #expect(try #require(LoadTarget(url: "http://localhost")).port == 80)
        let secure = try #require(LoadTarget(url: "https://example.org"))
        #expect(secure.isSecure && secure.port == 443 && secure.serverName == "example.org")
        #expect(plain.serverName == nil && !plain.isSecure)
        for url in ["ftp://a", "http://", "https://", "http://a:b", "http://a:70000", "a:1"] {
            #expect(LoadTarget(url: url) == nil)
        }
    }

    @Test func bodiesAreJSON() {
        var traffic = TrafficClass()
        traffic.ignoresEndOfSequence = true
        traffic.tier = "priority"
        traffic.extraMembers = ["\"top_p\":0.5"]
        let messages = [
            ChatMessage(role: .system, text: Array("s".utf8)),
            ChatMessage(role: .user, text: RequestEncoding.json.text("a \"b\"\n\u{1}é")),
        ]
        #expect(
            String(buffer: ChatRequestBody(traffic).encoded(messages, maxTokens: 9)) == """
                {"model":"default","messages":[{"role":"system","content":"s"},\
                {"role":"user","content":"a \\"b\\"\\n\\u0001é"}],\
                "stream":true,"stream_options":{"include_usage":true},"max_tokens":9,\
                "ignore_eos":true,"temperature":0.0,"service_tier":"priority","top_p":0.5}
                """)
    }

    @Test func bodiesAreXAIMessages() throws {
        var traffic = TrafficClass()
        traffic.model = "m"
        traffic.tier = "priority"
        traffic.temperature = 0.25
        let long = Array(repeating: UInt8(ascii: "x"), count: 300)
        let messages = [
            ChatMessage(role: .system, text: Array("s".utf8)),
            ChatMessage(role: .user, text: long),
            ChatMessage(role: .assistant, text: RequestEncoding.xai.text("\"é\"")),
        ]
        let body = XAIRequestBody(traffic).encoded(messages, maxTokens: 300)
        let expected = XaiApi_GetCompletionsRequest.with { request in
            request.model = "m"
            request.maxTokens = 300
            request.temperature = 0.25
            request.serviceTier = .priority
            let roles: [XaiApi_MessageRole] = [.roleSystem, .roleUser, .roleAssistant]
            let texts = ["s", String(repeating: "x", count: 300), "\"é\""]
            request.messages = zip(roles, texts).map { role, text in
                .with { message in
                    message.role = role
                    message.content = [.with { $0.text = text }]
                }
            }
        }
        #expect(
            try XaiApi_GetCompletionsRequest(serializedBytes: Array(body.readableBytesView))
                == expected)
    }

    @Test func xaiChunksAreCounted() throws {
        let chunk = XaiApi_GetChatCompletionChunk.with { chunk in
            chunk.id = "1"
            chunk.outputs = [
                .with { $0.delta.content = "text" },
                .with { $0.delta.reasoningContent = "thought" },
                .with {
                    $0.delta.role = .roleAssistant
                    $0.finishReason = .reasonStop
                },
            ]
            chunk.usage.completionTokens = 300
            chunk.usage.promptTokens = 12
            chunk.usage.cachedPromptTextTokens = 8
            chunk.serviceTier = .priority
        }
        let bytes: [UInt8] = try chunk.serializedBytes()
        var scanner = XAIChunkScanner()
        scanner.keepsText = true
        #expect(try scanner.scan(bytes.span) == 2)
        #expect(scanner.tally.text == Array("text".utf8))
        #expect(scanner.tally.finish == .stop && scanner.tally.isDone)
        #expect(scanner.tally.completionTokens == 300)
        #expect(scanner.tally.promptTokens == 12)
        #expect(scanner.tally.cachedTokens == 8)
        #expect(throws: MalformedProtobuf.self) { try scanner.scan(Array(bytes.dropLast()).span) }
    }

    @Test func serversTellTheirQueues() {
        #expect(
            ServerTiming.queueNanoseconds(["server-timing": "a;dur=1, queue;dur=2.5"]) == 2_500_000)
        #expect(ServerTiming.queueNanoseconds(["server-timing": "queue;desc=x;dur=1"]) == 1_000_000)
        for value in ["queue", "queue;dur=x", "queue;dur=-1", "queued;dur=1", ""] {
            #expect(ServerTiming.queueNanoseconds(["server-timing": value]) == nil)
        }
        #expect(ServerTiming.queueNanoseconds([:]) == nil)
    }

    @Test func probeWindowsCatchTheGapThatEndsAfterThem() {
        let open = ProbeState.Window(start: 10, end: nil)
        #expect(open.overlaps(from: 5, to: 11))
        #expect(!open.overlaps(from: 5, to: 10))
        let closed = ProbeState.Window(start: 10, end: 20)
        #expect(closed.overlaps(from: 19, to: 40))
        #expect(!closed.overlaps(from: 20, to: 40))
    }

    @Test func processTimesAreRead() {
        let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20"
        #expect(ProcessSample.cpuTicks(stat: stat) == 300)
        #expect(ProcessSample.cpuTicks(stat: "garbage") == nil)
        #expect(ProcessSample.residentKiB(status: "Name:\tx\nVmRSS:\t  1234 kB\n") == 1_234)
        #expect(ProcessSample(pid: Int32.max) == nil)
    }
}
