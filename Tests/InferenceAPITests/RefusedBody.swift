import InferenceTypes
import NIOCore
import Testing

@testable import InferenceAPI

/// A body that a face must refuse, with the parameter that is named and the code.
struct RefusedBody: Sendable, CustomTestStringConvertible {
    var body: String
    var parameter: String?
    var code: String

    init(_ body: String, _ parameter: String?, _ code: String) {
        self.body = body
        self.parameter = parameter
        self.code = code
    }

    var testDescription: String { body.count > 120 ? body.prefix(120) + "…" : body }

    func check(_ face: any RESTFace) throws {
        let error = try #require(throws: APIError.self) {
            _ = try face.decode(ByteBuffer(string: body), limits: ChatRequestLimits())
        }
        #expect(face.httpStatus(of: error) == 400)
        #expect(error.parameter == parameter, "\(error.message)")
        #expect(error.kind.status.code == code, "\(error.message)")
        #expect(!error.message.isEmpty && error.message.utf8.count < 400)
        // What is sent is JSON whatever the body held.
        #expect(throws: Never.self) {
            try JSONValue(
                parsing: written { face.write(error, requestID: "r\"1", into: &$0) })
        }
    }
}

extension Face {
    func decoded(
        _ body: String, limits: ChatRequestLimits = ChatRequestLimits()
    ) throws(APIError) -> FaceRequest {
        try decode(ByteBuffer(string: body), limits: limits)
    }
}

/// An answer with every kind of piece.
enum SampleAnswer {
    static let call = ChatToolCall(id: "call_7", name: "weather", arguments: #"{"city":"Oslo"}"#)
    static let pieces: [AnswerPiece] = [
        .reasoning("Hm,"), .reasoning(" so."), .text("Hi", logprobs: nil),
        .text(" \"漢\"\n", logprobs: nil), .toolCall(call),
    ]

    static func head(_ id: String) -> ChatResponseHead {
        var head = Sample.head
        head.id = id
        return head
    }

    static func completion(
        _ id: String, _ pieces: [AnswerPiece], _ reason: FinishReason
    ) -> Completion {
        var collector = CompletionCollector(choiceCount: 1, wantsLogprobs: false)
        for piece in pieces { collector.append(piece, choice: 0) }
        collector.finish(reason, choice: 0)
        return collector.completion(head(id), Sample.usage)
    }

    static func stream(
        _ format: any AnswerFormat, _ id: String, _ pieces: [AnswerPiece], _ reason: FinishReason
    ) -> String {
        written { buffer in
            var encoder = format.encoder(head(id))
            encoder.begin(Sample.usage, into: &buffer)
            for piece in pieces {
                encoder.write(piece, choice: 0, usage: Sample.usage, into: &buffer)
            }
            encoder.finish(reason, choice: 0, usage: Sample.usage, into: &buffer)
            encoder.end(Sample.usage, into: &buffer)
        }
    }

    static func whole(_ format: any AnswerFormat, _ completion: Completion) -> String {
        written { format.write(completion, into: &$0) }
    }

    /// The events of a stream whose events have names, in order; data is one line each.
    static func events(_ text: String) throws -> [(name: String, data: JSONValue)] {
        var events: [(name: String, data: JSONValue)] = []
        var name: Substring?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("event: ") {
                name = line.dropFirst(7)
            } else if line.hasPrefix("data: ") {
                let event = try #require(name, "data without a name: \(line)")
                events.append((String(event), try JSONValue(parsing: String(line.dropFirst(6)))))
                name = nil
            } else {
                #expect(line.isEmpty, "\(line)")
            }
        }
        return events
    }
}
