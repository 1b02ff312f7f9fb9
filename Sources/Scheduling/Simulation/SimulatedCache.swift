import InferenceTypes

/// A literal model of llama.cpp's unified cache: cells that belong to sets of sequences. Slow and
/// obvious, so that it can judge the scheduler's account, which is neither.
struct SimulatedCache: Sendable {
    struct Cell: Sendable {
        /// Hash of this and all earlier tokens of the sequence that computed the cell: what its
        /// keys and values depend on.
        var chain: UInt64 = 0
        var position = 0
        /// Sequences that the cell belongs to; 0 is free.
        var owners = 0
    }

    /// Those that were ever used: a cache may have millions, of which a test fills a few.
    private(set) var cells: [Cell] = []
    private let cellCount: Int
    /// Indices of cells that are free again.
    private var unused: [Int] = []
    /// Cell index by position, by sequence.
    private(set) var sequences: [[Int]]

    init(sequences count: Int, cells cellCount: Int) {
        self.cellCount = cellCount
        sequences = Array(repeating: [], count: count)
    }

    var freeCells: Int { cellCount - usedCells }
    var usedCells: Int { cells.count - unused.count }

    func length(_ sequence: SequenceID) -> Int { sequences[Int(sequence)].count }

    /// The hash of a sequence's content.
    func chain(_ sequence: SequenceID) -> UInt64 {
        sequences[Int(sequence)].last.map { cells[$0].chain } ?? 0
    }

    /// Nil when all is well, else what is wrong with the operation.
    mutating func apply(_ operation: CacheOperation) -> String? {
        switch operation {
        case .copy(let from, let to, let length):
            guard let from = index(from), let to = index(to) else { return "no such sequence" }
            guard from != to, sequences[to].isEmpty else { return "copied into sequence \(to)" }
            guard length > 0, length <= sequences[from].count else {
                return "copied \(length) of \(sequences[from].count) tokens"
            }
            sequences[to] = Array(sequences[from].prefix(length))
            for cell in sequences[to] { cells[cell].owners += 1 }
        case .truncate(let sequence, let length):
            guard let sequence = index(sequence) else { return "no such sequence" }
            guard length >= 0, length < sequences[sequence].count else {
                return "cut \(sequences[sequence].count) tokens to \(length)"
            }
            drop(sequence, from: length)
        case .clear(let sequence):
            guard let sequence = index(sequence) else { return "no such sequence" }
            drop(sequence, from: 0)
        }
        return nil
    }

    /// Computes tokens of a sequence; there must be room.
    mutating func append(_ sequence: SequenceID, _ tokens: ArraySlice<TokenID>) {
        var chain = chain(sequence)
        for token in tokens {
            let cell = takeCell()
            chain = SimulatedGeneration.chain(chain, token)
            cells[cell] = Cell(
                chain: chain, position: sequences[Int(sequence)].count, owners: 1)
            sequences[Int(sequence)].append(cell)
        }
    }

    private mutating func takeCell() -> Int {
        if let cell = unused.popLast() { return cell }
        precondition(cells.count < cellCount, "no cell is free")
        cells.append(Cell())
        return cells.count - 1
    }

    private func index(_ sequence: SequenceID) -> Int? {
        sequences.indices.contains(Int(sequence)) ? Int(sequence) : nil
    }

    private mutating func drop(_ sequence: Int, from length: Int) {
        for cell in sequences[sequence][length...] {
            cells[cell].owners -= 1
            if cells[cell].owners == 0 { unused.append(cell) }
        }
        sequences[sequence].removeLast(sequences[sequence].count - length)
    }
}
