/// Maps keys to cases of an enum by their bytes, so that reading an object makes no String per key.
///
/// Open addressing over a power of two of at least twice the number of names; immutable.
struct JSONKeyTable<Key: CaseIterable & RawRepresentable & Sendable>: Sendable
where Key.RawValue == String {
    private let slots: [Slot?]
    /// Hashes of the slots' names, to look at before a name; 0 for an empty slot.
    private let hashes: [UInt32]
    private let mask: Int

    private struct Slot: Sendable {
        var name: [UInt8]
        var key: Key
    }

    init() {
        var size = 8
        while size < Key.allCases.count * 2 { size *= 2 }
        mask = size - 1
        var slots = [Slot?](repeating: nil, count: size)
        var hashes = [UInt32](repeating: 0, count: size)
        for key in Key.allCases {
            let name = Array(key.rawValue.utf8)
            let hash = Self.hash(name.span)
            var index = Int(hash) & (size - 1)
            while slots[index] != nil { index = (index + 1) & (size - 1) }
            slots[index] = Slot(name: name, key: key)
            hashes[index] = hash
        }
        self.slots = slots
        self.hashes = hashes
    }

    func find(_ name: Span<UInt8>) -> Key? {
        let hash = Self.hash(name)
        var index = Int(hash) & mask
        while hashes[index] != 0 {
            if hashes[index] == hash, let slot = slots[index],
                Self.isEqual(slot.name.span, name)
            {
                return slot.key
            }
            index = (index + 1) & mask
        }
        return nil
    }

    /// FNV-1a over at most the first 32 bytes; all names are shorter. Never 0.
    private static func hash(_ name: Span<UInt8>) -> UInt32 {
        var hash: UInt32 = 0x811C_9DC5
        for index in 0..<min(name.count, 32) {
            hash = (hash ^ UInt32(name[index])) &* 0x0100_0193
        }
        return max(1, hash ^ hash >> 16)
    }

    private static func isEqual(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        for index in left.indices where left[index] != right[index] { return false }
        return true
    }
}

extension JSONReader {
    /// Outcome of reading a key against a table.
    enum KnownKey<Key> {
        case known(Key)
        case unknown
        /// The object has ended and is closed.
        case end
    }

    /// The next key, looked up in `table`; its value must then be read or skipped.
    mutating func nextKey<Key>(
        in table: JSONKeyTable<Key>
    ) throws(JSONError) -> KnownKey<Key> {
        guard let raw = try nextRawKey() else { return .end }
        if raw.hasEscapes {
            let name = try text(of: raw)
            return table.find(name.utf8Span.span).map { .known($0) } ?? .unknown
        }
        if !raw.isASCII { try check(raw) }
        return table.find(bytes.span.extracting(raw.range)).map { .known($0) } ?? .unknown
    }
}
