import InferenceTypes
import NIOCore

/// The fuzzing harness of everything here that reads JSON from the network. Traps on a finding.
///
/// Checks, on any bytes: skipping and reading agree on what is valid, no value reads past the end,
/// every error's offset lies in the document, and every face refuses with 400 or writes an answer
/// that is JSON, whatever it repeats of the request.
package func fuzzJSON(_ bytes: [UInt8]) {
    var skipper = JSONReader(bytes)
    var reader = skipper
    let skipped = outcome { () throws(JSONError) in
        try skipper.skipValue()
        try skipper.finish()
    }
    let read = outcome { () throws(JSONError) in
        try readAll(&reader)
        try reader.finish()
    }
    precondition(skipped == read, "skipping: \(skipped as Any), reading: \(read as Any)")
    if let error = skipped {
        precondition((0...bytes.count).contains(error.offset), "offset of \(error)")
        precondition(error.isMalformed, "\(error) for a well-formed document")
        precondition(!error.description.isEmpty)
    }
    var limits = ChatRequestLimits()
    limits.allowsDeferred = true
    do {
        let request = try ChatCompletionRequest.decode(ByteBuffer(bytes: bytes), limits: limits)
        precondition(!request.model.isEmpty && !request.messages.isEmpty, "an empty request")
        precondition(skipped == nil, "decoded what is not JSON")
    } catch {
        precondition(error.httpStatus == 400, "status of \(error)")
    }
    for face in fuzzedFaces { fuzz(face, bytes) }
}

private let fuzzedFaces: [any RESTFace] = [
    ResponsesFace(), MessagesFace(), MessagesFace(isCounting: true), CompletionsFace(),
    LegacyCompleteFace(),
]

private func fuzz(_ face: any RESTFace, _ bytes: [UInt8]) {
    let body = ByteBuffer(bytes: bytes)
    do {
        let request = try face.decode(body, limits: ChatRequestLimits())
        let choice = Completion.Choice(content: "x", finishReason: .endOfSequence)
        let head = ChatResponseHead(
            id: request.format.idPrefix + "1", created: 0, model: "m", systemFingerprint: nil,
            serviceTier: .standard)
        let completion = Completion(
            head: head, choices: Array(repeating: choice, count: request.chat.totalChoices),
            usage: Usage())
        checkWritten { request.format.write(completion, into: &$0) }
        guard face is ResponsesFace else { return }
        var items = ByteBuffer()
        try ResponsesFormat.writeInputItems(of: body, responseID: head.id, into: &items)
        checkWritten { $0 = items }
    } catch {
        precondition(face.httpStatus(of: error) == 400, "status of \(error)")
        checkWritten { face.write(error, requestID: "r", into: &$0) }
    }
}

private func checkWritten(_ write: (inout ByteBuffer) -> Void) {
    var buffer = ByteBuffer()
    write(&buffer)
    var reader = JSONReader(buffer)
    let error = outcome { () throws(JSONError) in
        try reader.skipValue()
        try reader.finish()
    }
    precondition(error == nil, "\(error as Any) in \(String(buffer: buffer))")
}

private func outcome(_ body: () throws(JSONError) -> Void) -> JSONError? {
    do {
        try body()
        return nil
    } catch { return error }
}

/// Reads every value by the call for its kind, in order. Recursion ends at the depth limit.
private func readAll(_ reader: inout JSONReader) throws(JSONError) {
    switch try reader.peek() {
    case .null: _ = try reader.readNull()
    case .boolean: _ = try reader.readBool()
    case .string: _ = try reader.readString()
    case .number: try readNumber(&reader)
    case .array:
        try reader.beginArray()
        while try reader.nextElement() { try readAll(&reader) }
    case .object:
        try reader.beginObject()
        while try reader.nextKey() != nil { try readAll(&reader) }
    }
}

/// A number that is too large to represent is still JSON.
private func readNumber(_ reader: inout JSONReader) throws(JSONError) {
    do {
        _ = try reader.readNumber()
    } catch {
        guard error.reason == .outOfRange else { throw error }
    }
}
