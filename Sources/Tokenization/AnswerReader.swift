package import InferenceTypes

/// Takes the tokens of one choice apart: visible text, reasoning, calls.
///
/// ```
///                 ┌─thinking─▶ reasoning
/// tokens ─▶ UTF-8 ┼─visible──▶ stop strings ─▶ text
///                 └─calling──▶ what a call is made of, whole
///
/// thinking ──end mark──▶ visible ──call mark──▶ calling ──end mark──▶ visible
///              visible ──start mark, nothing before it──▶ thinking
/// ```
///
/// Marks that are single tokens of the vocabulary count only as that token. Stop strings are looked
/// for in visible text only. White space around reasoning and before calls is no part of either.
/// What comes out is whole UTF-8, however it was cut into tokens.
///
/// A value with one owner: the exchange that streams the choice. For answers that are nothing but
/// visible text use `TextAssembler`, which costs less.
package struct AnswerReader: Sendable {
    package enum Piece: Hashable, Sendable {
        case text([UInt8])
        case reasoning([UInt8])
        /// All between the marks of a call, which the reader has not looked at, and the same with
        /// its marks.
        case markedCall(body: [UInt8], whole: [UInt8])
        case call(AnswerParser.Call)
    }

    /// What a call put out.
    package struct Output: Sendable {
        package var pieces: [Piece] = []
        /// For each token that is done with, in order: whether it is part of visible text.
        package var released: [Bool] = []

        package init() {}
    }

    private enum Region {
        case visible
        case thinking
        /// Between the marks of a call.
        case calling
        /// To the end, for the library.
        case kept
    }

    /// A token whose text is not all out.
    private struct Waiting {
        /// In bytes of the whole text.
        var end: Int
        /// Nil while its text was not come to.
        var isVisible: Bool?
    }

    private let syntax: AnswerSyntax
    private let pieces: PieceTable
    private let spelled: Set<TokenID>
    private let minimumTokens: Int
    private var repair = UTF8Repair()
    private var matcher: StopMatcher
    private var region: Region
    /// Whether any visible text but white space was there, or a call.
    private var hasBegun = false
    /// Whether white space before visible text is no part of it.
    private var skipsSpace: Bool
    /// The text that no region has had yet.
    private var pending: [UInt8] = []
    /// Visible text that may belong to a stop string.
    private var held: [UInt8] = []
    /// The call under way, without its start mark.
    private var body: [UInt8] = []
    /// All that the model wrote, for the library; empty unless it reads it.
    private var whole: [UInt8] = []
    /// What came since the library's part began.
    private var keptText: [UInt8] = []
    /// Visible text that was put out before the library's part.
    private var shown: [UInt8] = []
    private var waiting: [Waiting] = []
    private var seenBytes = 0
    private var takenBytes = 0
    /// Where the last token that was let go ends.
    private var releasedBytes = 0
    /// Where the text before a stop string ends.
    private var stopBytes: Int?
    private var seenTokens = 0
    private var keepsWhole = false
    /// Tokens within reasoning, its marks included.
    package private(set) var reasoningTokens = 0
    /// Index of the stop string that ended the text.
    package private(set) var stop: Int?

    package init(
        _ syntax: AnswerSyntax, vocabulary: Vocabulary, stops: StopStrings = .none,
        minimumTokens: Int = 0
    ) {
        self.init(
            syntax, pieces: vocabulary.pieces, spelled: syntax.spelledTokens(vocabulary),
            stops: stops, minimumTokens: minimumTokens)
    }

    /// - Parameter spelled: control tokens whose spelling is text here.
    init(
        _ syntax: AnswerSyntax, pieces: PieceTable, spelled: Set<TokenID>, stops: StopStrings,
        minimumTokens: Int
    ) {
        self.syntax = syntax
        self.pieces = pieces
        self.spelled = spelled
        self.minimumTokens = minimumTokens
        matcher = StopMatcher(stops)
        region = syntax.beginsThinking ? .thinking : .visible
        skipsSpace = syntax.thinking != nil
        if case .parsed(_, let triggers) = syntax.calls {
            keepsWhole = true
            // It cannot be said where calls begin.
            if triggers.isEmpty { region = .kept }
        }
    }

    /// Appends what `token` completes to `output`. After a stop string nothing more comes out.
    package mutating func append(_ token: TokenID, to output: inout Output) {
        guard stop == nil else { return }
        seenTokens += 1
        let wasThinking = region == .thinking
        if let mark = thinkingMark(token) {
            finishCodePoint()
            process(isEnd: true, to: &output)
            if stop == nil {
                region = mark == .start ? .thinking : .visible
                appendWhole(pieces.spelling(token))
            }
            waiting.append(Waiting(end: seenBytes, isVisible: false))
        } else {
            let text = spelled.contains(token) ? pieces.spelling(token) : pieces.text(token)
            appendWhole(text)
            let before = pending.count
            _ = repair.append(text, to: &pending)
            seenBytes += pending.count - before
            waiting.append(Waiting(end: seenBytes + (repair.isPending ? 1 : 0), isVisible: nil))
            process(isEnd: false, to: &output)
        }
        if wasThinking || region == .thinking { reasoningTokens += 1 }
        release(to: &output)
    }

    /// Ends the answer: what was held back comes out.
    package mutating func finish(to output: inout Output) {
        guard stop == nil else { return }
        finishCodePoint()
        process(isEnd: true, to: &output)
        guard stop == nil else { return release(to: &output) }
        switch region {
        case .visible, .thinking: break
        case .calling:
            // Never ended: what it was to be, nobody knows.
            let start = callStart
            output.pieces.append(.markedCall(body: body, whole: start + body))
            body = []
        case .kept: finishKept(to: &output)
        }
        takenBytes = seenBytes + 1
        for index in waiting.indices where waiting[index].isVisible == nil {
            waiting[index].isVisible = region == .visible
        }
        flushHeld(to: &output)
        release(to: &output)
    }

    // MARK: Regions

    /// Hands `pending` to its regions as far as it is clear to which it belongs.
    private mutating func process(isEnd: Bool, to output: inout Output) {
        while stop == nil {
            let before = region
            switch region {
            case .visible: processVisible(isEnd: isEnd, to: &output)
            case .thinking: processThinking(isEnd: isEnd, to: &output)
            case .calling: processCall(to: &output)
            case .kept:
                take(pending.count, isVisible: false)
            }
            if region == before { return }
        }
    }

    private mutating func processVisible(isEnd: Bool, to output: inout Output) {
        if !hasBegun {
            let space = pending.prefix { Self.isSpace($0) }.count
            if let start = textMark(syntax.thinking?.start) {
                if pending.dropFirst(space).starts(with: start) {
                    take(space + start.count, isVisible: false)
                    region = .thinking
                    return
                }
                let rest = pending.dropFirst(space)
                if !isEnd, rest.count < start.count, start.starts(with: rest) { return }
            } else if !isEnd, space == pending.count {
                return
            }
            if skipsSpace { take(space, isVisible: false) }
            guard isEnd || !pending.isEmpty else { return }
            hasBegun = hasBegun || !pending.isEmpty
        }
        guard let found = firstCallMark() else {
            var count = pending.count
            if !isEnd { count -= heldBack() }
            return show(count, to: &output)
        }
        // White space before a call is no text.
        var end = found.place
        while end > 0, Self.isSpace(pending[end - 1]) { end -= 1 }
        show(end, to: &output)
        guard stop == nil else { return }
        flushHeld(to: &output)
        if case .parsed = syntax.calls {
            region = .kept
        } else {
            take(found.place - end + found.length, isVisible: false)
            strings = JSONStrings()
            region = .calling
        }
    }

    /// How many bytes at the end of `pending` may belong to what is no visible text.
    private func heldBack() -> Int {
        guard !callMarks.isEmpty else { return 0 }
        var most = 0
        for mark in callMarks {
            most = max(most, Self.overlap(pending[...], mark))
        }
        var start = pending.count - most
        while start > 0, Self.isSpace(pending[start - 1]) { start -= 1 }
        return pending.count - start
    }

    private mutating func processThinking(isEnd: Bool, to output: inout Output) {
        guard let thinking = syntax.thinking else { return }
        var first: (place: Int, length: Int, isCall: Bool)?
        for mark in thinking.ends {
            let isCall = callMarks.contains(mark.bytes)
            guard mark.token == nil || isCall, let place = Self.place(of: mark.bytes, in: pending)
            else { continue }
            if place < first?.place ?? .max { first = (place, mark.bytes.count, isCall) }
        }
        var end = first?.place ?? pending.count
        if first == nil, !isEnd {
            var most = 0
            for mark in thinking.ends where mark.token == nil || callMarks.contains(mark.bytes) {
                most = max(most, Self.overlap(pending[...], mark.bytes))
            }
            end -= most
        }
        var text = pending[..<end]
        while let last = text.last, Self.isSpace(last) { text.removeLast() }
        if !hasReasoned { text = text.drop(while: Self.isSpace) }
        if !text.isEmpty {
            hasReasoned = true
            output.pieces.append(.reasoning(Array(text)))
        }
        if let first {
            take(first.isCall ? first.place : first.place + first.length, isVisible: false)
            region = .visible
        } else if isEnd {
            take(end, isVisible: false)
        } else if hasReasoned {
            // White space at the end may be the last of it.
            take(text.endIndex, isVisible: false)
        }
    }

    /// Whether any reasoning but white space came.
    private var hasReasoned = false
    /// Of the call that is being read: an argument may spell the mark that ends calls.
    private var strings = JSONStrings()

    private mutating func processCall(to output: inout Output) {
        guard case .marked(_, let end) = syntax.calls else { return }
        var place = 0
        var isEnd = false
        while place < pending.count {
            let rest = pending[place...]
            if !strings.isInside {
                isEnd = rest.starts(with: end.bytes)
                // Wait for what may be the end.
                if isEnd || end.bytes.starts(with: rest) { break }
            }
            strings.read(pending[place])
            place += 1
        }
        body += pending[..<place]
        guard isEnd else { return take(place, isVisible: false) }
        take(place + end.bytes.count, isVisible: false)
        output.pieces.append(.markedCall(body: body, whole: callStart + body + end.bytes))
        body = []
        hasBegun = false
        skipsSpace = true
        hasReasoned = false
        region = .visible
    }

    /// Lets the library say what the end of the answer was.
    private mutating func finishKept(to output: inout Output) {
        guard case .parsed(let parser, _) = syntax.calls else { return }
        guard let answer = parser.parse(whole) else { return show(late: keptText, to: &output) }
        if reasoningTokens == 0, !answer.reasoning.isEmpty {
            output.pieces.append(.reasoning(Array(answer.reasoning.utf8)))
        }
        // What was visible before came first.
        var content = Array(answer.content.utf8)[...]
        if !answer.calls.isEmpty {
            while let last = content.last, Self.isSpace(last) { content.removeLast() }
        }
        if content.starts(with: shown) { show(late: content.dropFirst(shown.count), to: &output) }
        guard stop == nil else { return }
        flushHeld(to: &output)
        output.pieces += answer.calls.map { .call($0) }
    }

    // MARK: Marks

    private enum ThinkingMark {
        case start
        case end
    }

    private func thinkingMark(_ token: TokenID) -> ThinkingMark? {
        guard let thinking = syntax.thinking else { return nil }
        switch region {
        case .thinking:
            return thinking.ends.contains { $0.token == token && !callMarks.contains($0.bytes) }
                ? .end : nil
        case .visible:
            guard !hasBegun, thinking.start?.token == token else { return nil }
            return pending.allSatisfy(Self.isSpace) ? .start : nil
        case .calling, .kept: return nil
        }
    }

    private func textMark(_ mark: AnswerMark?) -> [UInt8]? {
        guard let mark, mark.token == nil else { return nil }
        return mark.bytes
    }

    private var callMarks: [[UInt8]] {
        switch syntax.calls {
        case .none: []
        case .marked(let start, _): [start.bytes]
        case .parsed(_, let triggers): triggers.map(\.bytes)
        }
    }

    private var callStart: [UInt8] {
        if case .marked(let start, _) = syntax.calls { start.bytes } else { [] }
    }

    private func firstCallMark() -> (place: Int, length: Int)? {
        var first: (place: Int, length: Int)?
        for mark in callMarks {
            guard let place = Self.place(of: mark, in: pending) else { continue }
            if place < first?.place ?? .max { first = (place, mark.count) }
        }
        return first
    }

    private static func place(of mark: [UInt8], in text: [UInt8]) -> Int? {
        guard text.count >= mark.count else { return nil }
        for start in 0...(text.count - mark.count) where text[start...].starts(with: mark) {
            return start
        }
        return nil
    }

    /// The longest end of `text` that is a beginning of `mark`.
    private static func overlap(_ text: ArraySlice<UInt8>, _ mark: [UInt8]) -> Int {
        var length = min(text.count, mark.count - 1)
        while length > 0, !text.suffix(length).elementsEqual(mark[..<length]) { length -= 1 }
        return length
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }

    // MARK: Text

    private mutating func appendWhole(_ text: ArraySlice<UInt8>) {
        if keepsWhole { whole += text }
    }

    private mutating func finishCodePoint() {
        let before = pending.count
        _ = repair.finish(to: &pending)
        seenBytes += pending.count - before
    }

    /// Removes the first bytes of `pending`, and says of their tokens what they were.
    private mutating func take(_ count: Int, isVisible: Bool) {
        if region == .kept { keptText += pending[..<count] }
        pending.removeFirst(count)
        takenBytes += count
        var start = releasedBytes
        for index in waiting.indices {
            // A token of which anything is visible is.
            let isReached =
                isVisible ? start < takenBytes : waiting[index].end <= takenBytes
            if waiting[index].isVisible == nil, isReached { waiting[index].isVisible = isVisible }
            start = waiting[index].end
        }
    }

    /// Moves visible text behind the stop strings, and out.
    private mutating func show(_ count: Int, to output: inout Output) {
        guard count > 0 else { return }
        let text = pending[..<count]
        take(count, isVisible: true)
        show(late: text, to: &output)
    }

    /// The same for text that no token waits for.
    private mutating func show(late text: some Collection<UInt8>, to output: inout Output) {
        let scanned = held.count
        held += text
        if seenTokens > minimumTokens, let match = matcher.scan(held, from: scanned) {
            put(held[..<match.range.lowerBound], to: &output)
            stop = match.string
            stopBytes = takenBytes - held.count + match.range.lowerBound
            held = []
            return
        }
        let free = held.count - matcher.heldBytes
        put(held[..<free], to: &output)
        held.removeFirst(free)
    }

    private mutating func flushHeld(to output: inout Output) {
        put(held[...], to: &output)
        held = []
        matcher.reset()
    }

    private mutating func put(_ text: ArraySlice<UInt8>, to output: inout Output) {
        guard !text.isEmpty else { return }
        if keepsWhole { shown += text }
        output.pieces.append(.text(Array(text)))
    }

    /// Lets tokens go whose text is out; behind a stop string those of which some text is.
    private mutating func release(to output: inout Output) {
        let end = takenBytes - held.count
        var count = 0
        while count < waiting.count, let isVisible = waiting[count].isVisible,
            stopBytes.map({ releasedBytes < $0 }) ?? (waiting[count].end <= end)
        {
            output.released.append(isVisible)
            releasedBytes = waiting[count].end
            count += 1
        }
        waiting.removeFirst(count)
    }
}

/// Tells what is inside of JSON's strings (RFC 8259 §7), byte by byte.
private struct JSONStrings {
    private(set) var isInside = false
    private var isEscaped = false

    mutating func read(_ byte: UInt8) {
        if isEscaped {
            isEscaped = false
        } else if byte == UInt8(ascii: "\"") {
            isInside.toggle()
        } else if isInside, byte == UInt8(ascii: "\\") {
            isEscaped = true
        }
    }
}
