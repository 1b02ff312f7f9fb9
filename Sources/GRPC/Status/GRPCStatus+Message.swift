extension GRPCStatus {
    /// `message` as it travels in `grpc-message`: UTF-8 with every byte outside 0x20...0x7E, and
    /// `%`, as `%XX` (gRPC over HTTP/2, "Responses": Status-Message).
    ///
    /// At most `maxMessageBytes` of the text are sent, cut between characters, because a client may
    /// refuse trailers over 8 KiB.
    package static func encodeMessage(_ message: String) -> String {
        if message.utf8.count <= maxMessageBytes, message.utf8.allSatisfy(isPlain) {
            return message
        }
        var output = ""
        var bytes = 0
        for character in message {
            let utf8 = character.utf8
            bytes += utf8.count
            if bytes > maxMessageBytes { break }
            for byte in utf8 {
                if isPlain(byte) {
                    output.unicodeScalars.append(Unicode.Scalar(byte))
                } else {
                    output.unicodeScalars.append("%")
                    output.unicodeScalars.append(hexDigit(byte >> 4))
                    output.unicodeScalars.append(hexDigit(byte & 0xF))
                }
            }
        }
        return output
    }

    /// The inverse. Never fails: a malformed escape stays as it is and bytes that are not UTF-8
    /// become U+FFFD, as the specification asks ("must not error or throw away invalid values").
    package static func decodeMessage(_ encoded: String) -> String {
        guard encoded.utf8.contains(UInt8(ascii: "%")) else { return encoded }
        let input = Array(encoded.utf8)
        var output: [UInt8] = []
        output.reserveCapacity(input.count)
        var index = 0
        while index < input.count {
            if input[index] == UInt8(ascii: "%"), index + 2 < input.count,
                let high = hexValue(input[index + 1]), let low = hexValue(input[index + 2])
            {
                output.append(high << 4 | low)
                index += 3
            } else {
                output.append(input[index])
                index += 1
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// Bytes of status text sent at most.
    package static let maxMessageBytes = 2048

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte <= 0x7E && byte != UInt8(ascii: "%")
    }

    private static func hexDigit(_ nibble: UInt8) -> Unicode.Scalar {
        Unicode.Scalar(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "A") + nibble - 10)
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
