/// The stop strings of one request, prepared for matching over a stream of bytes.
///
/// Immutable and shared by the request's choices; `StopMatcher` has the state of one choice.
package struct StopStrings: Sendable {
    package let strings: [String]
    /// All strings' UTF-8, one after the other.
    fileprivate let bytes: [UInt8]
    /// `[string]`, with one more at the end: where its bytes begin.
    fileprivate let starts: [Int]
    /// Knuth, Morris and Pratt's failure function of each string, parallel to `bytes`: the length
    /// of the longest proper prefix that ends here as well.
    fileprivate let failures: [Int]
    /// `[byte]`: whether some string begins with it.
    private let beginnings: [Bool]

    /// None: text is passed on as it comes.
    package static let none = StopStrings()

    private init() {
        (strings, bytes, starts, failures, beginnings) = ([], [], [0], [], [])
    }

    /// Throws when there are too many, or one is empty or too long. A string that occurs twice
    /// counts once.
    package init(
        _ list: [String], limits: TokenizationLimits = TokenizationLimits()
    ) throws(TokenizationError) {
        guard list.count <= limits.maximumStopStrings else {
            throw .tooManyStopStrings(count: list.count, maximum: limits.maximumStopStrings)
        }
        guard !list.isEmpty else {
            self = .none
            return
        }
        var strings: [String] = []
        var bytes: [UInt8] = []
        var starts = [0]
        var failures: [Int] = []
        var beginnings = [Bool](repeating: false, count: 256)
        for string in list {
            let pattern = Array(string.utf8)
            guard let first = pattern.first else { throw .emptyStopString }
            let maximum = limits.maximumStopStringBytes
            guard pattern.count <= maximum else {
                throw .stopStringTooLong(bytes: pattern.count, maximumBytes: maximum)
            }
            // Compared as bytes: strings that are only canonically equivalent are two.
            guard !strings.contains(where: { $0.utf8.elementsEqual(pattern) }) else { continue }
            strings.append(string)
            bytes.append(contentsOf: pattern)
            starts.append(bytes.count)
            failures.append(contentsOf: Self.failureFunction(pattern))
            beginnings[Int(first)] = true
        }
        self.strings = strings
        self.bytes = bytes
        self.starts = starts
        self.failures = failures
        self.beginnings = beginnings
    }

    package var isEmpty: Bool { strings.isEmpty }

    /// Whether a stop string may begin within `text`.
    func mayBegin(in text: ArraySlice<UInt8>) -> Bool {
        for byte in text where beginnings[Int(byte)] { return true }
        return false
    }

    private static func failureFunction(_ pattern: [UInt8]) -> [Int] {
        var failures = [Int](repeating: 0, count: pattern.count)
        var length = 0
        for index in pattern.indices.dropFirst() {
            while length > 0 && pattern[length] != pattern[index] { length = failures[length - 1] }
            if pattern[length] == pattern[index] { length += 1 }
            failures[index] = length
        }
        return failures
    }
}

/// How far each stop string is matched at the end of one choice's text.
///
/// All strings advance together, byte by byte, so the result does not depend on how the text is cut
/// into tokens. The match that is complete first wins, which is when a reader of the stream would
/// have stopped; of several that end at the same byte the longest.
struct StopMatcher: Sendable {
    struct Match: Hashable {
        /// Index in `StopStrings.strings`.
        var string: Int
        /// Half-open range in the text that was scanned; it may begin before the scanned part.
        var range: Range<Int>
    }

    private let stops: StopStrings
    /// `[string]`: how many of its bytes the text ends with; always less than its length.
    private var lengths: [Int]
    /// The longest of `lengths`: so many bytes at the end of the text may belong to a stop string.
    private(set) var heldBytes = 0

    init(_ stops: StopStrings) {
        self.stops = stops
        lengths = [Int](repeating: 0, count: stops.strings.count)
    }

    /// Whether `text` leaves the matcher as it is now: nothing matched, nothing held.
    func passes(_ text: ArraySlice<UInt8>) -> Bool {
        stops.isEmpty || (heldBytes == 0 && !stops.mayBegin(in: text))
    }

    /// Forgets what was read: what follows is another text.
    mutating func reset() {
        for index in lengths.indices { lengths[index] = 0 }
        heldBytes = 0
    }

    /// Reads `text[start...]`, which continues what was read before; stops at the first match.
    mutating func scan(_ text: [UInt8], from start: Int) -> Match? {
        guard !stops.isEmpty else { return nil }
        for index in start..<text.count {
            if let string = advance(text[index]) {
                let length = stops.starts[string + 1] - stops.starts[string]
                return Match(string: string, range: index + 1 - length..<index + 1)
            }
        }
        heldBytes = lengths.max() ?? 0
        return nil
    }

    /// Reads one byte; returns the longest string that ends with it.
    private mutating func advance(_ byte: UInt8) -> Int? {
        var best: (string: Int, length: Int)?
        for string in lengths.indices {
            let first = stops.starts[string]
            var length = lengths[string]
            while length > 0 && stops.bytes[first + length] != byte {
                length = stops.failures[first + length - 1]
            }
            if stops.bytes[first + length] == byte { length += 1 }
            if first + length == stops.starts[string + 1] {
                if length > best?.length ?? 0 { best = (string, length) }
                length = stops.failures[first + length - 1]
            }
            lengths[string] = length
        }
        return best?.string
    }
}
