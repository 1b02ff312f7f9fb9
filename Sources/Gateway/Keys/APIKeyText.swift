/// A key that this gateway makes: `sk-sy-ID-SECRET`, of which the id (64 bit) may be seen and the
/// secret has 256 random bits, both in lower-case hexadecimal. Its text exists once, in the answer
/// to whoever made it.
struct APIKeyText {
    private static let start = "sk-sy-"

    let id: String
    let text: String

    /// - Parameter id: nil for a new key.
    init(id: String? = nil, _ generator: inout some RandomNumberGenerator) {
        self.id = id ?? Self.hex(generator.next())
        let secret = (0..<4).map { _ in Self.hex(generator.next()) }.joined()
        text = "\(Self.start)\(self.id)-\(secret)"
    }

    /// What may be shown of a key.
    static func prefix(of id: String) -> String { start + id }

    private static func hex(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
