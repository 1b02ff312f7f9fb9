package import InferenceTypes

/// The bytes of every token, in one flat array: detokenizing is two loads and a copy.
///
/// Made once per vocabulary and immutable, so it may be read from any thread. Token numbers come
/// from workers, which may be another product's: one that is outside the table has no bytes and
/// counts as a control token.
package struct PieceTable: Sendable {
    private let bytes: [UInt8]
    /// `[token]`, with one more at the end: token t's bytes are `offsets[t]..<offsets[t + 1]`.
    private let offsets: [UInt32]
    private let attributes: [Attributes]

    private struct Attributes: OptionSet {
        let rawValue: UInt8
        static let control = Attributes(rawValue: 1)
        /// The bytes are valid UTF-8 by themselves (true for no bytes).
        static let wholeScalars = Attributes(rawValue: 2)
    }

    /// `pieces` and `isControl` are `[token]`; control tokens have their spelling as piece.
    package init(pieces: [[UInt8]], isControl: [Bool]) {
        precondition(pieces.count == isControl.count, "one flag per piece")
        var bytes: [UInt8] = []
        bytes.reserveCapacity(pieces.reduce(0) { $0 + $1.count })
        var offsets: [UInt32] = [0]
        offsets.reserveCapacity(pieces.count + 1)
        var attributes: [Attributes] = []
        attributes.reserveCapacity(pieces.count)
        for (piece, isControl) in zip(pieces, isControl) {
            bytes.append(contentsOf: piece)
            offsets.append(UInt32(bytes.count))
            var attribute: Attributes = isControl ? .control : []
            if isControl || UTF8Repair.isValid(piece) { attribute.insert(.wholeScalars) }
            attributes.append(attribute)
        }
        self.bytes = bytes
        self.offsets = offsets
        self.attributes = attributes
    }

    package var count: Int { attributes.count }

    /// Whether the token is no part of the text: control, unknown, or outside the table.
    package func isControl(_ token: TokenID) -> Bool {
        guard let index = index(of: token) else { return true }
        return attributes[index].contains(.control)
    }

    /// The token's part of the text; empty for control tokens.
    package func text(_ token: TokenID) -> ArraySlice<UInt8> {
        guard let index = index(of: token), !attributes[index].contains(.control) else { return [] }
        return slice(index)
    }

    /// The token's bytes, for control tokens their spelling (`<|im_end|>`).
    package func spelling(_ token: TokenID) -> ArraySlice<UInt8> {
        guard let index = index(of: token) else { return [] }
        return slice(index)
    }

    /// The token as log probabilities and `/tokenize-text` show it: its bytes, with U+FFFD where
    /// they are not valid UTF-8 by themselves.
    package func displayText(_ token: TokenID) -> String {
        String(decoding: spelling(token), as: UTF8.self)
    }

    /// Whether `text(token)` begins and ends between code points.
    func isWhole(_ token: TokenID) -> Bool {
        guard let index = index(of: token) else { return true }
        return attributes[index].contains(.wholeScalars)
    }

    private func index(of token: TokenID) -> Int? {
        let index = Int(token)
        return index >= 0 && index < attributes.count ? index : nil
    }

    private func slice(_ index: Int) -> ArraySlice<UInt8> {
        bytes[Int(offsets[index])..<Int(offsets[index + 1])]
    }
}
