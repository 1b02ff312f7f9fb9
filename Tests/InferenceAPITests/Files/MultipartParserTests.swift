import NIOCore
import Testing

@testable import InferenceAPI

private let type = "multipart/form-data; boundary=\"xyz\""

/// What a body says, in pieces of `size` bytes, contents joined.
private func parse(_ text: String, size: Int = .max) throws -> [MultipartParser.Event] {
    var parser = try MultipartParser(contentType: type)
    var events: [MultipartParser.Event] = []
    var buffer = ByteBuffer(string: text)
    while buffer.readableBytes > 0 {
        let piece = buffer.readSlice(length: min(size, buffer.readableBytes)) ?? ByteBuffer()
        try parser.append(piece) { event in
            if case .content(let more) = event, case .content(let known)? = events.last {
                events[events.count - 1] = .content(known + more)
            } else {
                events.append(event)
            }
        }
    }
    try parser.finish()
    return events
}

private let body = [
    "--xyz", "Content-Disposition: form-data; name=\"purpose\"", "", "batch", "--xyz",
    "content-disposition: form-data; name=file; filename=\"a \\\"b\\\".jsonl\"",
    "Content-Type: application/octet-stream", "", "line 1", "--xy is no boundary", "", "--xyz  ",
    "Content-Disposition: form-data; name=\"empty\"", "", "", "--xyz--", "", "behind",
].joined(separator: "\r\n")

private let events: [MultipartParser.Event] = [
    .part(name: "purpose", fileName: nil), .content(Array("batch".utf8)), .endOfPart,
    .part(name: "file", fileName: "a \"b\".jsonl"),
    .content(Array("line 1\r\n--xy is no boundary\r\n".utf8)), .endOfPart,
    .part(name: "empty", fileName: nil), .endOfPart,
]

@Suite struct MultipartParserTests {
    @Test(arguments: [1, 2, 3, 5, 7, 16, 64, .max])
    func readsPartsHoweverTheyAreCut(size: Int) throws {
        #expect(try parse(body, size: size) == events)
        #expect(try parse("preamble\r\n" + body, size: size) == events)
    }

    @Test func holdsNoMoreThanADelimiterOfContent() throws {
        var parser = try MultipartParser(contentType: type)
        var bytes = 0
        let head = "--xyz\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n"
        try parser.append(ByteBuffer(string: head)) { _ in }
        for _ in 0..<100 {
            try parser.append(ByteBuffer(repeating: 13, count: 1_000)) { event in
                if case .content(let more) = event { bytes += more.count }
            }
        }
        #expect(bytes > 100_000 - 16)
    }

    @Test(arguments: [
        "--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\ncut off", "", "no boundary at all",
        "--xyz\r\nContent-Type: text/plain\r\n\r\nno name\r\n--xyz--", "--xyzmore\r\n",
        "--xyz\r\n\r\nno fields\r\n--xyz--",
        "--xyz\r\n" + String(repeating: "x", count: 9_000),
        String(repeating: "--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n", count: 65),
    ])
    func refusesWhatIsNotWellFormed(text: String) {
        #expect(throws: APIError.self) { try parse(text) }
        #expect(throws: APIError.self) { try parse(text, size: 1) }
    }

    @Test(arguments: [
        nil, "application/json", "multipart/form-data", "multipart/form-data; boundary=",
        "multipart/mixed; boundary=a",
        "multipart/form-data; boundary=" + String(repeating: "a", count: 71),
    ])
    func needsAFormWithABoundary(type: String?) {
        #expect(throws: APIError.self) { try MultipartParser(contentType: type) }
    }
}
