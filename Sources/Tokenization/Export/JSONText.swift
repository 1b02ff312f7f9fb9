/// Appends JSON to bytes. Only what the tokenizer files need.
struct JSONText {
    var bytes: [UInt8] = []

    /// Syntax and numbers, as they are.
    mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// A string literal (RFC 8259 §7).
    mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                raw("\\u00" + (byte < 0x10 ? "0" : "") + String(byte, radix: 16))
            default:
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// `items` with commas between them.
    mutating func list<Item>(
        _ items: some Sequence<Item>, _ write: (inout JSONText, Item) -> Void
    ) {
        var isFirst = true
        for item in items {
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            write(&self, item)
        }
    }
}
