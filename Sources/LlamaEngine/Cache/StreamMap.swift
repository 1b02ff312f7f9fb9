internal import InferenceTypes
internal import Scheduling

/// Which of the library's streams holds which of the scheduler's sequences, where each sequence has
/// KV cells of its own (`CacheLayout.separate`).
///
/// The library computes a batch in one pass only where the streams in it have successive numbers
/// (`llama_batch_allocr::split_equal`). So the sequences that run are kept side by side; those that
/// only keep a prefix lie around them. There is one stream more than sequences, which makes room
/// for exchanging two. Owned by the engine.
struct StreamMap: Sendable {
    /// What the library must do, in this order.
    enum Move: Hashable, Sendable {
        /// The whole stream; what the other one held is lost.
        case copy(from: Int32, to: Int32)
        case clear(Int32)
    }

    /// Moving what a sequence holds costs about as much as this many steps in one pass more.
    static let patienceSteps = 4

    /// By sequence.
    private var streams: [Int32]
    /// By stream; `spare` for the one that no sequence has, and which is always empty.
    private var sequences: [SequenceID]
    /// By stream.
    private var isEmpty: [Bool]
    /// Steps in a row whose sequences did not lie side by side.
    private var splitSteps = 0

    private static let spare: SequenceID = -1

    init(sequences count: Int) {
        streams = (0..<Int32(count)).map { $0 }
        sequences = (0..<SequenceID(count)).map { $0 } + [Self.spare]
        isEmpty = Array(repeating: true, count: count + 1)
    }

    func stream(of sequence: SequenceID) -> Int32 { streams[Int(sequence)] }

    /// The sequence has tokens from now on.
    mutating func fill(_ sequence: SequenceID) { isEmpty[Int(streams[Int(sequence)])] = false }

    /// The sequence has none.
    mutating func empty(_ sequence: SequenceID) { isEmpty[Int(streams[Int(sequence)])] = true }

    /// Brings sequences side by side: at once where one of them is empty, which costs little, else
    /// when they have been apart for some steps.
    mutating func arrange(_ active: [SequenceID]) -> [Move] {
        let places = active.map { streams[Int($0)] }.sorted()
        guard let first = places.first, let last = places.last,
            Int(last - first) >= places.count
        else {
            splitSteps = 0
            return []
        }
        splitSteps += 1
        guard splitSteps > Self.patienceSteps || places.contains(where: { isEmpty[Int($0)] })
        else { return [] }
        splitSteps = 0

        var isActive = Array(repeating: false, count: isEmpty.count)
        for place in places { isActive[Int(place)] = true }
        let start = bestWindow(isActive, length: places.count)
        let window = start..<start + places.count
        let strangers = window.filter { !isActive[$0] }
        // Empty ones first, so that the spare one, if it is among them, is used up.
        let holes = strangers.filter { isEmpty[$0] } + strangers.filter { !isEmpty[$0] }
        let outside = places.map { Int($0) }.filter { !window.contains($0) }
        var moves: [Move] = []
        for (stream, hole) in zip(outside, holes) { bring(stream, to: hole, &moves) }
        return moves
    }

    /// Where the window of that length starts that costs the fewest copies; the first of equals.
    private func bestWindow(_ isActive: [Bool], length: Int) -> Int {
        var best = (start: 0, copies: Int.max)
        for start in 0...(isActive.count - length) {
            let window = start..<start + length
            let copies = isActive.indices.count { stream in
                !isEmpty[stream] && isActive[stream] != window.contains(stream)
            }
            if copies < best.copies { best = (start, copies) }
        }
        return best.start
    }

    /// Exchanges two streams' sequences.
    private mutating func bring(_ stream: Int, to hole: Int, _ moves: inout [Move]) {
        if isEmpty[stream] || isEmpty[hole] {
            if !isEmpty[stream] {
                move(stream, to: hole, &moves)
            } else if !isEmpty[hole] {
                move(hole, to: stream, &moves)
            }
            exchange(stream, hole)
            return
        }
        guard let spare = sequences.firstIndex(of: Self.spare) else {
            preconditionFailure("no stream is spare")
        }
        move(hole, to: spare, &moves)
        exchange(hole, spare)
        move(stream, to: hole, &moves)
        exchange(stream, hole)
    }

    private mutating func move(_ from: Int, to: Int, _ moves: inout [Move]) {
        moves.append(.copy(from: Int32(from), to: Int32(to)))
        moves.append(.clear(Int32(from)))
        isEmpty[to] = false
        isEmpty[from] = true
    }

    private mutating func exchange(_ left: Int, _ right: Int) {
        sequences.swapAt(left, right)
        for stream in [left, right] where sequences[stream] != Self.spare {
            streams[Int(sequences[stream])] = Int32(stream)
        }
    }

    /// Traps when the map contradicts itself.
    func checkInvariants() {
        precondition(Set(streams).count == streams.count, "two sequences have one stream")
        for (sequence, stream) in streams.enumerated() {
            precondition(sequences[Int(stream)] == SequenceID(sequence), "the map is one-sided")
        }
        for stream in sequences.indices where sequences[stream] == Self.spare {
            precondition(isEmpty[stream], "the spare stream holds something")
        }
        precondition(sequences.count { $0 == Self.spare } == 1, "not one spare stream")
    }
}
