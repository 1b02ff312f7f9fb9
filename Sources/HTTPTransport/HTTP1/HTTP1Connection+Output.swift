import NIOCore

/// What waits to be written on an HTTP/1.1 connection.
struct HTTP1Output {
    /// Made ready and not yet given to the channel.
    var bytes = ByteBuffer()
    /// Given to the channel, which has not yet written all of it; 0 when nothing is under way.
    var inFlightBytes = 0
    var flushIsScheduled = false
    /// Set once the connection is to end at once.
    var abandoned: HTTPStreamError?
    fileprivate var isPumping = false
}

/// The writing half. All responses go through one buffer, of which at most
/// `HTTPLimits.connectionOutputBytes` are in the channel at a time; the rest is `unsentBytes`, so
/// a slow reader's share is known and bounded.
extension HTTP1Connection {
    var unsentBytes: Int { output.bytes.readableBytes + output.inFlightBytes }

    func send(_ head: HTTPResponseHead, end: Bool, on stream: HTTP1Stream) {
        guard stream.response == .waiting, output.abandoned == nil else {
            assert(stream.response == .waiting, "a second final response head")
            return
        }
        if head.status < 200 {
            // HTTP/1.0 clients do not know informational heads (RFC 9110 §15.2).
            guard !stream.request.isHTTP10 else { return }
            if head.status == 100 { stream.continues = true }
            output.bytes.writeHTTP1Head(status: head.status, fields: head.fields) { _ in }
            scheduleFlush()
            return
        }
        let body = HTTP1ResponseBody(head, for: stream.request, ends: end)
        stream.response = .body(body)
        stream.keepsAlive = stream.keepsAlive && !isLastExchange && mayKeep(stream, body)
        output.bytes.writeHTTP1Head(status: head.status, fields: head.fields) { buffer in
            if !head.fields.contains("date") { buffer.writeHTTP1Field("date", date.now()) }
            if case .length = body, !head.fields.contains("content-length") {
                buffer.writeStaticString("content-length: 0\r\n")
            }
            if body == .chunked { buffer.writeStaticString("transfer-encoding: chunked\r\n") }
            if !stream.keepsAlive {
                buffer.writeStaticString("connection: close\r\n")
            } else if stream.request.isHTTP10 {
                buffer.writeStaticString("connection: keep-alive\r\n")
            }
        }
        if end { endResponse(trailers: nil, on: stream) }
        scheduleFlush()
    }

    /// Whether the connection can serve another request after this response.
    private func mayKeep(_ stream: HTTP1Stream, _ body: HTTP1ResponseBody) -> Bool {
        if body == .untilClose { return false }
        if stream.requestEnded { return true }
        // A client that was never told to continue may or may not send its body (RFC 9110
        // §10.1.1), so its next bytes have no certain meaning.
        guard stream.continues else { return false }
        if case .length(let length) = stream.request.body {
            return length - stream.bodyBytes <= limits.discardedBodyBytes
        }
        return true
    }

    func send(_ bytes: ByteBuffer, end: Bool, on stream: HTTP1Stream) {
        guard case .body(let body) = stream.response, output.abandoned == nil else {
            assert(output.abandoned != nil, "a body without a response head, or after its end")
            return
        }
        if unsentBytes >= limits.outputHardLimitBytes {
            abandon(.outputLimitExceeded)
            return
        }
        switch body {
        case .none:
            break
        case .length(let left):
            let taken = min(left, bytes.readableBytes)
            assert(taken == bytes.readableBytes, "more body than content-length says")
            if let part = bytes.getSlice(at: bytes.readerIndex, length: taken) {
                append(part)
            }
            stream.response = .body(.length(left - taken))
        case .chunked:
            output.bytes.writeHTTP1Chunk(bytes)
        case .untilClose:
            append(bytes)
        }
        if end {
            endResponse(trailers: nil, on: stream)
        } else if stream.isWritable, unsentBytes > limits.outputHighWatermarkBytes {
            stream.isWritable = false
        }
        scheduleFlush()
    }

    /// A large body becomes the output without being copied.
    private func append(_ bytes: ByteBuffer) {
        if output.bytes.readableBytes == 0 {
            output.bytes = bytes
        } else {
            output.bytes.writeImmutableBuffer(bytes)
        }
    }

    func send(trailers: HTTPFields, on stream: HTTP1Stream) {
        guard case .body = stream.response, output.abandoned == nil else {
            assert(output.abandoned != nil, "trailers without a response head, or after its end")
            return
        }
        endResponse(trailers: trailers, on: stream)
        scheduleFlush()
    }

    /// Trailers are only possible in chunked bodies (RFC 9112 §7.1.2); elsewhere they are dropped.
    private func endResponse(trailers: HTTPFields?, on stream: HTTP1Stream) {
        guard case .body(let body) = stream.response else { return }
        stream.response = .ended
        switch body {
        case .chunked:
            output.bytes.writeHTTP1LastChunk(trailers: trailers)
        case .length(let left) where left > 0:
            // The client waits for bytes that never come; closing is what tells it.
            stream.keepsAlive = false
        case .length, .none, .untilClose:
            break
        }
    }

    // MARK: Once per loop turn

    func scheduleFlush() {
        guard !output.flushIsScheduled else { return }
        output.flushIsScheduled = true
        context.eventLoop.assumeIsolated().execute { self.flushIfScheduled() }
    }

    private func flushIfScheduled() {
        if output.flushIsScheduled { flush() }
    }

    func flush() {
        output.flushIsScheduled = false
        if case .closed = phase { return }
        if let error = output.abandoned {
            ended(error)
            closeChannel()
            return
        }
        pump()
    }

    /// Gives the channel its next share until it has enough; then sees what that finishes.
    private func pump() {
        // A write may complete inside of `writeAndFlush`; the loop below goes on then.
        guard !output.isPumping else { return }
        output.isPumping = true
        defer { output.isPumping = false }
        while output.inFlightBytes == 0 {
            if output.bytes.readableBytes > 0 {
                writeShare()
                updateWritability()
            } else if !settle() {
                break
            }
        }
        updateWritability()
    }

    private func writeShare() {
        guard let channelContext else { return }
        let share: ByteBuffer
        if output.bytes.readableBytes <= limits.connectionOutputBytes {
            share = output.bytes
            output.bytes = ByteBuffer()
        } else {
            guard let slice = output.bytes.readSlice(length: limits.connectionOutputBytes) else {
                return
            }
            share = slice
        }
        output.inFlightBytes = share.readableBytes
        deadlines.setWrite(after: limits.writeStallTimeout)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { [self] result in
            output.inFlightBytes = 0
            deadlines.clearWrite()
            switch result {
            case .success: pump()
            case .failure: abandon(.connectionClosed)
            }
        }
        channelContext.writeAndFlush(wrapOutboundOut(share), promise: promise)
    }

    /// All output is written: what was waiting for that? False when nothing was.
    private func settle() -> Bool {
        switch phase {
        case .open:
            guard let current, current.response == .ended, !current.isClosed else { return false }
            finishExchange()
            return true
        case .closing(let lingers):
            guard lingers, let channelContext else {
                closeChannel()
                return false
            }
            phase = .lingering
            deadlines.set(.linger, after: limits.lingerTimeout)
            channelContext.close(mode: .output, promise: nil)
            resumeReading()
            return false
        case .lingering, .closed:
            return false
        }
    }

    func closeChannel() {
        channelContext?.close(promise: nil)
    }

    private func updateWritability() {
        guard let stream = current, !stream.isClosed else { return }
        if !stream.isWritable, unsentBytes <= limits.outputLowWatermarkBytes {
            stream.isWritable = true
            // Who asked since the last flush saw false, and waits to be told.
            stream.toldWritable = false
        }
        if stream.toldWritable != stream.isWritable, let receiver = stream.receiver {
            stream.toldWritable = stream.isWritable
            receiver.writabilityChanged(stream.isWritable)
        }
    }
}
