import NIOCore
import NIOHTTP1

/// How the body of one HTTP/1.1 response is delimited (RFC 9112 §6).
enum HTTP1ResponseBody: Equatable {
    /// HEAD, 204, 304: whatever the service sends is dropped.
    case none
    /// `content-length`: so many bytes are still to come.
    case length(Int)
    case chunked
    /// HTTP/1.0: the body ends with the connection.
    case untilClose
}

extension HTTP1ResponseBody {
    /// The framing of a final response with these fields; `ends` says that no body follows.
    init(_ head: HTTPTransport.HTTPResponseHead, for request: HTTP1Request, ends: Bool) {
        let length = head.fields["content-length"].flatMap { Int($0) }
        if request.head.method == "HEAD" || head.status == 204 || head.status == 304 {
            self = .none
        } else if let length, length >= 0 {
            self = .length(length)
        } else if ends {
            self = .length(0)
        } else if request.isHTTP10 {
            self = .untilClose
        } else {
            self = .chunked
        }
    }
}

extension ByteBuffer {
    /// Writes a status line and fields. Bytes that could end a value early (CR, LF, NUL) become
    /// spaces, so that no value can add a field; names are the service's own constants.
    ///
    /// Fields about the connection are the transport's own: those of `head` are left out.
    mutating func writeHTTP1Head(
        status: Int, fields: HTTPFields, own: (inout ByteBuffer) -> Void
    ) {
        writeStaticString("HTTP/1.1 ")
        writeString("\(status) \(HTTPResponseStatus(statusCode: status).reasonPhrase)\r\n")
        for field in fields {
            switch field.name {
            case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
                "te", "trailer":
                continue
            case "content-length" where status < 200 || status == 204:
                continue  // RFC 9110 §8.6 forbids it there.
            default:
                writeHTTP1Field(field.name, field.value)
            }
        }
        own(&self)
        writeStaticString("\r\n")
    }

    mutating func writeHTTP1Field(_ name: String, _ value: String) {
        writeString(name)
        writeStaticString(": ")
        let endsField = { (byte: UInt8) in byte == 0x0D || byte == 0x0A || byte == 0 }
        if value.utf8.contains(where: endsField) {
            writeBytes(value.utf8.map { endsField($0) ? 0x20 : $0 })
        } else {
            writeString(value)
        }
        writeStaticString("\r\n")
    }

    /// Writes one chunk (RFC 9112 §7.1); an empty one would end the body and is left out.
    mutating func writeHTTP1Chunk(_ bytes: ByteBuffer) {
        let count = bytes.readableBytes
        guard count > 0 else { return }
        var shift = (Int.bitWidth - count.leadingZeroBitCount - 1) / 4 * 4
        while shift >= 0 {
            let digit = UInt8(count >> shift & 0xF)
            writeInteger(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            shift -= 4
        }
        writeStaticString("\r\n")
        writeImmutableBuffer(bytes)
        writeStaticString("\r\n")
    }

    /// Writes the last chunk and the trailers.
    mutating func writeHTTP1LastChunk(trailers: HTTPFields?) {
        writeStaticString("0\r\n")
        for field in trailers ?? HTTPFields() { writeHTTP1Field(field.name, field.value) }
        writeStaticString("\r\n")
    }
}
