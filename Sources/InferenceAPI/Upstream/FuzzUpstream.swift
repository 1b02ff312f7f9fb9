import NIOCore

/// The fuzzing harness of what reads an upstream's answers. Traps on a finding.
///
/// Checks, on any bytes: how they are cut changes no event, and what is read as a chunk is written
/// as JSON that reads back the same, on one line, and is translated or refused.
package func fuzzUpstream(_ bytes: [UInt8]) {
    let whole = fuzzEvents([bytes])
    let middle = bytes.count / 2
    precondition(whole == fuzzEvents([Array(bytes[..<middle]), Array(bytes[middle...])]))
    precondition(whole == fuzzEvents(bytes.map { [$0] }))
    for event in whole.events + [ServerSentEvent(data: bytes, isMultiLine: true)] {
        fuzzChunk(event)
    }
    var body = ByteBuffer(bytes: bytes)
    _ = UpstreamError.decode(body)
    guard let request = try? ForwardedRequest(body, isStreaming: true) else { return }
    let sent = request.body(model: "m")
    precondition(ChatCompletionRequest.model(of: sent) == "m", "another model")
    body = sent
    let again = try? ForwardedRequest(body, isStreaming: true)
    precondition(again?.body(model: "m") == sent, "forwarding twice is forwarding once")
}

private struct FuzzEvents: Equatable {
    var events: [ServerSentEvent] = []
    var error: EventStreamError?
}

private func fuzzEvents(_ pieces: [[UInt8]]) -> FuzzEvents {
    var parser = EventStreamParser(limitBytes: 256)
    var found = FuzzEvents()
    do {
        for piece in pieces {
            parser.append(ByteBuffer(bytes: piece))
            while let event = try parser.next() { found.events.append(event) }
        }
    } catch {
        found.error = error
    }
    return found
}

private func fuzzChunk(_ event: ServerSentEvent) {
    let head = ForwardedHead(id: "i", model: "m", systemFingerprint: nil)
    guard let chunk = try? ForwardedAnswer(event.data) else { return }
    var translation = TranslatedAnswer(choiceCount: 2, wantsLogprobs: true)
    _ = try? translation.take(chunk)
    var first = ByteBuffer()
    chunk.write(head, includesUsage: true, joinsLines: event.isMultiLine, into: &first)
    guard let again = try? ForwardedAnswer(Array(first.readableBytesView)) else {
        preconditionFailure("what was written does not read: \(String(buffer: first))")
    }
    precondition(
        again.usage == chunk.usage && again.finishes == chunk.finishes
            && again.hasOutput == chunk.hasOutput && again.error == chunk.error)
    if event.isMultiLine {
        precondition(!first.readableBytesView.contains { $0 == 0x0A || $0 == 0x0D })
    }
    var second = ByteBuffer()
    again.write(head, includesUsage: true, into: &second)
    precondition(first == second, "writing twice is writing once")
}
