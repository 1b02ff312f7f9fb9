import CNGHTTP2

/// libnghttp2's table of callbacks.
///
/// Each callback finds its session through the user pointer, which is unretained: libnghttp2 calls
/// back only from inside `mem_recv` and `mem_send`, which `HTTP2Session` calls on itself, so the
/// session is alive. Callbacks may submit frames; they never call `mem_recv` or `mem_send`.
@safe
enum HTTP2Callbacks {
    /// One table for the process. Made once (a lazy `let` is initialised exactly once, which is the
    /// happens-before edge), never written again, and copied by `nghttp2_session_server_new`.
    nonisolated(unsafe) static let table: OpaquePointer = unsafe makeTable()

    private static func makeTable() -> OpaquePointer {
        var table: OpaquePointer?
        // Returns 0 or NGHTTP2_ERR_NOMEM.
        guard unsafe nghttp2_session_callbacks_new(&table) == 0, let table = unsafe table else {
            fatalError("out of memory")
        }
        unsafe nghttp2_session_callbacks_set_on_begin_frame_callback(table) {
            _, header, user in
            unsafe session(user).beganFrame(header!.pointee)
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(table) {
            _, frame, user in
            unsafe session(user).beganHeaders(
                streamID: frame!.pointee.hd.stream_id,
                isRequest: frame!.pointee.headers.cat == NGHTTP2_HCAT_REQUEST)
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_header_callback(table) {
            _, _, name, nameLength, value, valueLength, _, user in
            unsafe session(user).receivedField(
                name: UnsafeBufferPointer(start: name, count: nameLength),
                value: UnsafeBufferPointer(start: value, count: valueLength))
        }
        unsafe nghttp2_session_callbacks_set_on_invalid_header_callback(table) {
            _, _, _, _, _, _, _, _ in
            // Without this, 1.52 drops malformed fields and delivers the rest (RFC 9113 §8.2.1
            // calls the whole message malformed).
            NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
        }
        unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table) {
            _, _, streamID, bytes, count, user in
            unsafe session(user).receivedData(
                UnsafeRawBufferPointer(start: bytes, count: count), streamID: streamID)
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(table) { _, frame, user in
            unsafe session(user).receivedFrame(frame!)
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_frame_send_callback(table) { _, frame, user in
            unsafe session(user).sentFrame(frame!)
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_frame_not_send_callback(table) {
            _, frame, _, user in
            unsafe session(user).couldNotSend(frame!.pointee.hd)
            return 0
        }
        unsafe nghttp2_session_callbacks_set_send_data_callback(table) {
            _, frame, header, length, source, user in
            unsafe session(user).writeData(
                header: UnsafeRawBufferPointer(start: header, count: 9), count: length,
                slot: source!.pointee.slot)
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_stream_close_callback(table) {
            _, streamID, code, user in
            unsafe session(user).streamClosed(streamID: streamID, code: code)
            return 0
        }
        return unsafe table
    }

    /// Where a stream's DATA comes from: its slot, so that nothing points into Swift's heap.
    static func provider(slot: Int) -> nghttp2_data_provider {
        unsafe nghttp2_data_provider(
            source: nghttp2_data_source(slot: slot),
            read_callback: { _, streamID, _, length, flags, source, user in
                let answer = unsafe session(user).nextData(
                    slot: source!.pointee.slot, streamID: streamID, limit: length)
                unsafe flags!.pointee = answer.flags
                return answer.count
            })
    }
}

extension nghttp2_data_source {
    /// Slots are stored plus one: a null pointer is no slot.
    init(slot: Int) {
        unsafe self.init(ptr: UnsafeMutableRawPointer(bitPattern: slot + 1))
    }

    var slot: Int { unsafe Int(bitPattern: ptr) - 1 }
}

/// The session behind libnghttp2's user pointer. A free function: a C callback captures nothing.
private func session(_ user: UnsafeMutableRawPointer?) -> HTTP2Session {
    unsafe Unmanaged<HTTP2Session>.fromOpaque(user!).takeUnretainedValue()
}
