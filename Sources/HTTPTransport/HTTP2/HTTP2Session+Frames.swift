import CNGHTTP2
import NIOCore

// What arrives, frame by frame.

extension HTTP2Session {
    func beganFrame(_ header: nghttp2_frame_hd) {
        guard isServer, header.type == HTTP2FrameType.headers else { return }
        let id = header.stream_id
        if id > lastNewStreamID {
            lastNewStreamID = id
            return
        }
        // 1.52 ignores a head on a stream that is closed or was skipped; RFC 9113 §5.1.1 wants a
        // connection error. A head that crossed our RST_STREAM is innocent.
        // 0 or 1, or -1 when there is no such stream.
        let isKnown = unsafe nghttp2_session_get_stream_remote_close(raw, id) >= 0
        if !isKnown && !resetStreamIDs.contains(id) {
            pendingTermination = pendingTermination ?? .protocolError
        }
    }

    func beganHeaders(streamID: Int32, isRequest: Bool) {
        guard isServer && isRequest else {
            block = HTTP2HeaderBlock(streamID: stream(streamID) == nil ? 0 : streamID)
            return
        }
        guard openStreams < limits.concurrentStreams else {
            block = HTTP2HeaderBlock(streamID: 0)
            submitRawReset(streamID, .refusedStream)
            remember(reset: streamID)
            return
        }
        block = HTTP2HeaderBlock(streamID: streamID)
        // The stream object comes with the complete head; until then there is nothing to close.
    }

    /// One field; returns libnghttp2's verdict code.
    func receivedField(
        name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>
    ) -> Int32 {
        switch block.admit(name: name.count, value: value.count, limits: limits) {
        case .keep: unsafe block.add(name: name, value: value)
        case .drop: break
        case .disconnect:
            terminate(.enhanceYourCalm, .flood)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
        }
        return 0
    }

    func receivedData(_ bytes: UnsafeRawBufferPointer, streamID: Int32) {
        let count = bytes.count
        let stream = stream(streamID)
        if limits.replenishesConnectionWindowAtReception || stream == nil {
            check(unsafe nghttp2_session_consume_connection(raw, count))
        }
        guard let stream else { return }
        stream.progressAt = now
        stream.receivedBytes += count
        stream.unconsumedBytes += count
        if isServer && stream.receivedBytes > limits.bodyBytes && stream.cutReason == nil {
            stream.refuse(.bodyTooLarge, .bodyTooLarge)
        }
        guard stream.cutReason == nil else { return }
        guard let input, let base = unsafe inputBase, let address = bytes.baseAddress,
            let slice = unsafe input.getSlice(
                at: input.readerIndex + (address - base), length: count)
        else {
            fatalError("DATA outside of the input buffer")
        }
        stream.deliver(slice)
    }

    func receivedFrame(_ frame: UnsafePointer<nghttp2_frame>) {
        let header = unsafe frame.pointee.hd
        let isEnd = header.flags & 0x1 != 0
        switch header.type {
        case HTTP2FrameType.data:
            let padding = unsafe frame.pointee.data.padlen
            if padding > 0 && padding == header.length && !isEnd
                && !meter.counters.receivedOnlyPadding()
            {
                pendingTermination = .enhanceYourCalm
            }
            if isEnd, let stream = stream(header.stream_id) { remoteEnded(stream, nil) }
        case HTTP2FrameType.headers:
            guard block.streamID == header.stream_id else { return }
            if isServer, unsafe frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST {
                receivedRequest(header.stream_id, isEnd: isEnd)
            } else if let stream = stream(header.stream_id) {
                receivedLaterHead(stream, isEnd: isEnd)
            }
            block = HTTP2HeaderBlock(streamID: 0)
        case HTTP2FrameType.resetStream:
            stream(header.stream_id)?.isResetByPeer = true
        case HTTP2FrameType.settings:
            if !isServer && !isEnd {
                if !hasSettings {
                    hasSettings = true
                    settingsReceived()
                }
                submitWaiting()
            }
        case HTTP2FrameType.ping:
            if isEnd { unsafe pingAnswered(frame.pointee.ping.opaque_data) }
        case HTTP2FrameType.goAway:
            isGoneAway = true
            failWaiting()
        default: break
        }
    }

    func remoteEnded(_ stream: HTTP2Stream, _ trailers: HTTPFields?) {
        guard !stream.isRemoteEnded else { return }
        stream.isRemoteEnded = true
        if stream.cutReason == nil { stream.deliverEnd(trailers: trailers) }
    }

    /// A complete request head.
    func receivedRequest(_ id: Int32, isEnd: Bool) {
        guard case .server(let service, _) = role else { return }
        let slot = takeSlot()
        let stream = HTTP2Stream(
            session: self, id: id, slot: slot, isHeadRequest: block.method == "HEAD",
            path: block.path, now: now)
        slab[slot] = stream
        let data = unsafe nghttp2_data_source(slot: slot)
        // 0 or INVALID_ARGUMENT when the stream is gone, which it is not.
        check(unsafe nghttp2_session_set_stream_user_data(raw, id, data.ptr))
        stream.isRemoteEnded = isEnd
        if let refusal = block.refusal(limits: limits) {
            let reason: HTTPStreamError =
                switch refusal {
                case .headersTooLarge: .headersTooLarge
                case .bodyTooLarge: .bodyTooLarge
                default: .protocolViolation
                }
            stream.refuse(refusal, reason)
            return
        }
        let head = block.takeRequest()
        let expectsContinue = block.expectsContinue
        let receiver = service.accept(head, HTTPServerStream(stream))
        stream.receiver = .server(receiver)
        guard stream.session != nil, stream.cutReason == nil else { return }
        if isEnd {
            receiver.receivedEnd(trailers: nil)
        } else if expectsContinue && !stream.isHeadSent {
            stream.send(HTTPResponseHead(status: 100), end: false)
        }
    }

    /// A response's head or any trailers.
    func receivedLaterHead(_ stream: HTTP2Stream, isEnd: Bool) {
        if block.isOversized {
            if isServer {
                stream.refuse(.headersTooLarge, .headersTooLarge)
            } else {
                stream.cutOff(.headersTooLarge, .cancel)
            }
            return
        }
        guard stream.cutReason == nil else { return }
        if isServer || stream.hasResponseHead {
            if isEnd { remoteEnded(stream, block.fields) }
            return
        }
        guard block.status >= 200 else {
            if block.status < 100 { stream.cutOff(.protocolViolation, .protocolError) }
            return
        }
        stream.hasResponseHead = true
        if case .client(let receiver) = stream.receiver {
            receiver.received(HTTPResponseHead(status: block.status, fields: block.fields))
        }
        if isEnd { remoteEnded(stream, nil) }
    }
}
