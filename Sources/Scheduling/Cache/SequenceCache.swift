import InferenceTypes

/// Which sequence holds which tokens, and how many KV cells that takes: the scheduler's exact
/// account of the engine's unified cache.
///
/// A tree of runs of tokens. A sequence's content is the path from the root to its leaf; sequences
/// that share a path share the cells (that is what `CacheOperation.copy` does), so the cells in use
/// are the sum of all runs. Equal tokens that two sequences computed on their own are different
/// cells and different runs: a node may have several children with the same first token.
///
///     root ── system prompt ──┬── question A ── answer A     sequence 3 (active)
///                             └── question B                 sequence 5 (idle)
///
/// What one tenant's requests have computed is no other tenant's prefix, or else the time to the
/// first token and the cached tokens would tell of others' prompts: the root's children are
/// somebody's.
///
/// With at most 256 sequences there are at most 512 nodes, so walks are short; looking a prompt up
/// costs one comparison per matched token.
struct SequenceCache: Sendable {
    enum State: Sendable {
        /// Holds nothing, owned by nobody.
        case free
        /// Owned by a running request; its cells cannot be taken.
        case active
        /// Kept for its prefix; given up when room is needed.
        case idle
    }

    struct Sequence: Sendable {
        var state = State.free
        /// The node that the content ends with; the root when empty.
        var leaf = 0
        /// Whose what it holds is, or will be.
        var tenant = ""
        /// Larger is more recent; meaningful while idle.
        var lastUsed: UInt64 = 0
    }

    struct Child: Sendable {
        /// First token of the child's run: looked at without touching the child.
        var first: TokenID
        var node: Int
        /// Whose all below is. Of the root's children; others are whose they are below.
        var tenant = ""
    }

    struct Node: Sendable {
        var parent: Int
        /// Position of the run's first token.
        var start: Int
        /// Never empty, except in the root and in unused nodes.
        var tokens: [TokenID]
        var children: [Child] = []
        /// Sequences that end with this node.
        var residents: [SequenceID] = []
        /// Sequences that end with this node or below it.
        var sequences: Int
        /// Those of them that are active.
        var active: Int

        var end: Int { start + tokens.count }
    }

    static let root = 0

    let totalCells: Int
    private(set) var sequences: [Sequence]
    private(set) var nodes: [Node]
    private var unusedNodes: [Int] = []
    /// Cells that hold any sequence's tokens.
    private(set) var usedCells = 0
    /// Those that hold an active sequence's tokens.
    private(set) var activeCells = 0
    private(set) var freeSequences: Int
    private(set) var idleSequences = 0
    private var clock: UInt64 = 0

    init(sequences count: Int, cells: Int) {
        totalCells = cells
        sequences = Array(repeating: Sequence(), count: count)
        nodes = [Node(parent: -1, start: 0, tokens: [], sequences: 0, active: 0)]
        freeSequences = count
    }

    var freeCells: Int { totalCells - usedCells }
    /// Cells that could be had by dropping idle sequences.
    var idleCells: Int { usedCells - activeCells }

    /// Tokens that a sequence holds.
    func length(_ sequence: SequenceID) -> Int {
        nodes[sequences[Int(sequence)].leaf].end
    }

    func state(_ sequence: SequenceID) -> State { sequences[Int(sequence)].state }

    /// The content of a sequence: for tests and checks.
    func tokens(_ sequence: SequenceID) -> [TokenID] {
        var runs: [[TokenID]] = []
        var node = sequences[Int(sequence)].leaf
        while node != Self.root {
            runs.append(nodes[node].tokens)
            node = nodes[node].parent
        }
        return runs.reversed().flatMap { $0 }
    }

    // MARK: Owning sequences

    /// Takes the lowest free sequence, empty and active; nil when none is free.
    mutating func takeFree() -> SequenceID? {
        guard freeSequences > 0, let index = sequences.firstIndex(where: { $0.state == .free })
        else { return nil }
        freeSequences -= 1
        sequences[index].state = .active
        return SequenceID(index)
    }

    /// What is added to an empty sequence from now on is that tenant's.
    mutating func assign(_ sequence: SequenceID, to tenant: String) {
        precondition(
            length(sequence) == 0 || sequences[Int(sequence)].tenant == tenant,
            "a sequence holds another tenant's tokens")
        sequences[Int(sequence)].tenant = tenant
    }

    /// An idle sequence becomes active.
    mutating func activate(_ sequence: SequenceID) {
        precondition(state(sequence) == .idle, "sequence \(sequence) is not idle")
        idleSequences -= 1
        sequences[Int(sequence)].state = .active
        var node = sequences[Int(sequence)].leaf
        while node != Self.root {
            if nodes[node].active == 0 { activeCells += nodes[node].tokens.count }
            nodes[node].active += 1
            node = nodes[node].parent
        }
    }

    /// An active sequence becomes idle, as the most recently used.
    mutating func makeIdle(_ sequence: SequenceID) {
        precondition(state(sequence) == .active, "sequence \(sequence) is not active")
        idleSequences += 1
        sequences[Int(sequence)].state = .idle
        touch(sequence)
        var node = sequences[Int(sequence)].leaf
        while node != Self.root {
            nodes[node].active -= 1
            if nodes[node].active == 0 { activeCells -= nodes[node].tokens.count }
            node = nodes[node].parent
        }
    }

    mutating func touch(_ sequence: SequenceID) {
        clock += 1
        sequences[Int(sequence)].lastUsed = clock
    }

    /// Empties a sequence and gives it back.
    mutating func free(_ sequence: SequenceID) {
        precondition(state(sequence) != .free, "sequence \(sequence) is free already")
        truncate(sequence, to: 0)
        if state(sequence) == .idle { idleSequences -= 1 }
        sequences[Int(sequence)].state = .free
        freeSequences += 1
    }

    /// The idle sequence that was used longest ago.
    func leastRecentlyUsed(except kept: SequenceID? = nil) -> SequenceID? {
        var best: Int?
        for index in sequences.indices
        where sequences[index].state == .idle && kept != SequenceID(index) {
            if let known = best, sequences[known].lastUsed < sequences[index].lastUsed { continue }
            best = index
        }
        return best.map { SequenceID($0) }
    }

    /// Cells at the end of a sequence that no other sequence has.
    func exclusiveTail(_ sequence: SequenceID) -> Int {
        let leaf = nodes[sequences[Int(sequence)].leaf]
        return leaf.sequences == 1 ? leaf.tokens.count : 0
    }

    // MARK: Content

    /// Adds a token at the end of an active sequence: what a decode does.
    mutating func append(_ sequence: SequenceID, _ token: TokenID) {
        let leaf = sequences[Int(sequence)].leaf
        guard leaf != Self.root, nodes[leaf].sequences == 1, nodes[leaf].active == 1 else {
            append(sequence, [token])
            return
        }
        precondition(usedCells < totalCells, "more cells used than there are")
        usedCells += 1
        activeCells += 1
        nodes[leaf].tokens.append(token)
    }

    /// Adds tokens at the end of an active sequence; each takes a cell.
    mutating func append(_ sequence: SequenceID, _ tokens: ArraySlice<TokenID>) {
        precondition(state(sequence) == .active, "only active sequences grow")
        guard let first = tokens.first else { return }
        usedCells += tokens.count
        activeCells += tokens.count
        precondition(usedCells <= totalCells, "more cells used than there are")
        let leaf = sequences[Int(sequence)].leaf
        if leaf != Self.root, nodes[leaf].sequences == 1 {
            nodes[leaf].tokens.append(contentsOf: tokens)
            return
        }
        let node = newNode(
            Node(
                parent: leaf, start: nodes[leaf].end, tokens: Array(tokens),
                residents: [sequence], sequences: 1, active: 1))
        nodes[leaf].children.append(
            Child(first: first, node: node, tenant: sequences[Int(sequence)].tenant))
        removeResident(sequence, of: leaf)
        sequences[Int(sequence)].leaf = node
    }

    /// Makes `to`, active and empty, share the first `length` tokens of `from`.
    mutating func copy(from: SequenceID, to: SequenceID, length: Int) {
        precondition(state(to) == .active && self.length(to) == 0, "copies go to empty sequences")
        precondition(length <= self.length(from), "a copy is no longer than its source")
        guard length > 0 else { return }
        let end = nodeEnding(at: length, of: from)
        sequences[Int(to)].leaf = end
        sequences[Int(to)].tenant = sequences[Int(from)].tenant
        nodes[end].residents.append(to)
        var node = end
        while node != Self.root {
            nodes[node].sequences += 1
            if nodes[node].active == 0 { activeCells += nodes[node].tokens.count }
            nodes[node].active += 1
            node = nodes[node].parent
        }
    }

    /// Drops all tokens of a sequence from position `length` on.
    mutating func truncate(_ sequence: SequenceID, to length: Int) {
        let leaf = sequences[Int(sequence)].leaf
        guard nodes[leaf].end > length else { return }
        let isActive = state(sequence) == .active
        removeResident(sequence, of: leaf)
        var survivors: [Int] = []
        var node = leaf
        while node != Self.root, nodes[node].start >= length {
            let parent = nodes[node].parent
            leave(node, isActive: isActive)
            if nodes[node].sequences == 0 {
                removeNode(node)
            } else {
                survivors.append(node)
            }
            node = parent
        }
        if node != Self.root, nodes[node].end > length {
            if nodes[node].sequences == 1 {
                let dropped = nodes[node].end - length
                nodes[node].tokens.removeLast(dropped)
                usedCells -= dropped
                if nodes[node].active > 0 { activeCells -= dropped }
            } else {
                let upper = split(node, at: length)
                leave(node, isActive: isActive)
                survivors.append(node)
                node = upper
            }
        }
        sequences[Int(sequence)].leaf = node
        if node != Self.root { nodes[node].residents.append(sequence) }
        for survivor in survivors { mergeIfLonely(survivor) }
    }

    /// One sequence fewer runs through a node.
    private mutating func leave(_ node: Int, isActive: Bool) {
        nodes[node].sequences -= 1
        guard isActive else { return }
        nodes[node].active -= 1
        if nodes[node].active == 0 { activeCells -= nodes[node].tokens.count }
    }

    // MARK: Nodes

    private mutating func newNode(_ node: Node) -> Int {
        if let index = unusedNodes.popLast() {
            nodes[index] = node
            return index
        }
        nodes.append(node)
        return nodes.count - 1
    }

    /// Frees a node that no sequence runs through any more, and its cells.
    private mutating func removeNode(_ node: Int) {
        precondition(nodes[node].children.isEmpty && nodes[node].residents.isEmpty)
        usedCells -= nodes[node].tokens.count
        let parent = nodes[node].parent
        nodes[parent].children.removeAll { $0.node == node }
        discard(node)
    }

    private mutating func discard(_ node: Int) {
        nodes[node] = Node(parent: -1, start: 0, tokens: [], sequences: 0, active: 0)
        unusedNodes.append(node)
    }

    private mutating func removeResident(_ sequence: SequenceID, of node: Int) {
        guard node != Self.root else { return }
        guard let index = nodes[node].residents.firstIndex(of: sequence) else {
            preconditionFailure("sequence \(sequence) does not end at its leaf")
        }
        nodes[node].residents.remove(at: index)
    }

    /// The node on a sequence's path that ends exactly at `length`, made by splitting if need be.
    private mutating func nodeEnding(at length: Int, of sequence: SequenceID) -> Int {
        var node = sequences[Int(sequence)].leaf
        while nodes[node].start >= length, node != Self.root { node = nodes[node].parent }
        return nodes[node].end == length ? node : split(node, at: length)
    }

    /// Cuts a run in two at a position inside it. The node keeps the lower part, so that leaves
    /// stay right; returns the new node with the upper part.
    private mutating func split(_ node: Int, at position: Int) -> Int {
        let old = nodes[node]
        let count = position - old.start
        precondition(count > 0 && position < old.end, "a split is inside the run")
        let upper = newNode(
            Node(
                parent: old.parent, start: old.start, tokens: Array(old.tokens[..<count]),
                children: [Child(first: old.tokens[count], node: node)],
                sequences: old.sequences, active: old.active))
        nodes[node].tokens.removeFirst(count)
        nodes[node].start = position
        nodes[node].parent = upper
        replaceChild(node, of: old.parent, with: upper)
        return upper
    }

    /// Joins a node with its only child when no sequence ends between them.
    private mutating func mergeIfLonely(_ node: Int) {
        guard nodes[node].residents.isEmpty, nodes[node].children.count == 1 else { return }
        let child = nodes[node].children[0].node
        let parent = nodes[node].parent
        nodes[child].tokens.insert(contentsOf: nodes[node].tokens, at: 0)
        nodes[child].start = nodes[node].start
        nodes[child].parent = parent
        replaceChild(node, of: parent, with: child)
        discard(node)
    }

    private mutating func replaceChild(_ old: Int, of parent: Int, with new: Int) {
        guard let index = nodes[parent].children.firstIndex(where: { $0.node == old }) else {
            preconditionFailure("a node is missing among its parent's children")
        }
        nodes[parent].children[index].node = new
    }
}
