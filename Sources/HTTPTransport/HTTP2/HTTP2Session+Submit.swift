import CNGHTTP2
import NIOCore

// What is handed to libnghttp2 for sending.

extension HTTP2Session {
    func submitInformational(_ head: HTTPResponseHead, on stream: HTTP2Stream) {
        encoder.reset()
        encoder.add(status: head.status)
        _ = encoder.add(head.fields)
        _ = unsafe encoder.withPairs { pairs, count in
            // A stream id, 0, or NOMEM, INVALID_ARGUMENT.
            check(unsafe nghttp2_submit_headers(raw, 0, stream.id, nil, pairs, count, nil))
        }
        markDirty()
    }

    func submitResponse(_ head: HTTPResponseHead, on stream: HTTP2Stream, end: Bool) {
        encoder.reset()
        encoder.add(status: head.status)
        if !encoder.add(head.fields) { encoder.add("date", date.now()) }
        unsafe encoder.withPairs { pairs, count in
            // 0, or NOMEM, INVALID_ARGUMENT, DATA_EXIST, PROTO (a client's session).
            if end {
                check(unsafe nghttp2_submit_response(raw, stream.id, pairs, count, nil))
            } else {
                var provider = unsafe HTTP2Callbacks.provider(slot: stream.slot)
                check(unsafe nghttp2_submit_response(raw, stream.id, pairs, count, &provider))
            }
        }
        markDirty()
    }

    func submitRefusal(_ refusal: HTTPRefusal, on stream: HTTP2Stream) {
        guard case .server(_, let refusalBody) = role else { return }
        let body = refusalBody(refusal, stream.path)
        var fields = body?.fields ?? HTTPFields()
        if let body {
            fields.append("content-length", String(body.bytes.readableBytes))
        }
        stream.prepareRefusal(body: body?.bytes)
        submitResponse(
            HTTPResponseHead(status: refusal.status, fields: fields), on: stream,
            end: stream.unsentBytes == 0)
    }

    func submitTrailers(_ trailers: HTTPFields, streamID: Int32) {
        encoder.reset()
        _ = encoder.add(trailers)
        _ = unsafe encoder.withPairs { pairs, count in
            // 0, or NOMEM, INVALID_ARGUMENT.
            check(unsafe nghttp2_submit_trailer(raw, streamID, pairs, count))
        }
    }

    func resumeData(of stream: HTTP2Stream) {
        // 0, or INVALID_ARGUMENT when nothing is deferred any more (the stream is closing).
        check(unsafe nghttp2_session_resume_data(raw, stream.id))
    }

    func submitReset(of stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        if stream.id == 0 {
            waiting.removeAll { $0 === stream }
            cutWhileWaiting.append(stream)
            markDirty()
        } else {
            submitRawReset(stream.id, code)
        }
    }

    func submitRawReset(_ id: Int32, _ code: HTTP2ErrorCode) {
        // 0, or NOMEM, INVALID_ARGUMENT (id 0).
        check(unsafe nghttp2_submit_rst_stream(raw, 0, id, code.rawValue))
        markDirty()
    }

    func consume(_ count: Int, on stream: HTTP2Stream) {
        if !limits.replenishesConnectionWindowAtReception {
            check(unsafe nghttp2_session_consume_connection(raw, count))
        }
        if !stream.isRemoteEnded {
            check(unsafe nghttp2_session_consume_stream(raw, stream.id, count))
        }
        markDirtyIfWanted()
    }
}
