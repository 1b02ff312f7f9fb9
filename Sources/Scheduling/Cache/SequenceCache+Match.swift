import InferenceTypes

extension SequenceCache {
    /// The longest resident prefix of a prompt.
    struct Match: Sendable {
        /// Tokens; 0 when nothing matches.
        var length: Int
        /// The node in which the match ends, at its end or inside.
        var node: Int
    }

    /// The longest prefix of `tokens`, at most `limit` tokens, that any sequence of the tenant
    /// holds. Between equally long ones the first in tree order.
    func longestPrefix(of tokens: [TokenID], limit: Int, tenant: String = "") -> Match {
        var best = Match(length: 0, node: Self.root)
        let children = nodes[Self.root].children.filter { $0.tenant == tenant }
        let limit = min(limit, tokens.count)
        extend(&best, below: Self.root, children, tokens: tokens, limit: limit)
        return best
    }

    private func extend(
        _ best: inout Match, below node: Int, _ children: [Child], tokens: [TokenID], limit: Int
    ) {
        let start = nodes[node].end
        guard start < limit else { return }
        let next = tokens[start]
        for child in children where child.first == next {
            let common = commonPrefix(
                nodes[child.node].tokens, tokens, at: start, limit: limit)
            if start + common > best.length {
                best = Match(length: start + common, node: child.node)
            }
            if common == nodes[child.node].tokens.count {
                extend(
                    &best, below: child.node, nodes[child.node].children, tokens: tokens,
                    limit: limit)
            }
            if best.length == limit { return }
        }
    }

    /// How many tokens of `run` equal those of `tokens` from `offset` on, up to `limit`.
    private func commonPrefix(
        _ run: [TokenID], _ tokens: [TokenID], at offset: Int, limit: Int
    ) -> Int {
        let count = min(run.count, limit - offset)
        let left = run.span
        let right = tokens.span
        var index = 0
        while index < count, left[index] == right[offset + index] { index += 1 }
        return index
    }

    /// Some sequence that holds a match: the first in tree order.
    func donor(of match: Match) -> SequenceID {
        var node = match.node
        while true {
            if let resident = nodes[node].residents.first { return resident }
            node = nodes[node].children[0].node
        }
    }

    /// The idle sequence that holds a match and the least beyond it; lowest id between equals.
    func shortestIdle(holding match: Match) -> SequenceID? {
        var best: (length: Int, sequence: SequenceID)?
        var pending = [match.node]
        while let node = pending.popLast() {
            guard nodes[node].sequences > nodes[node].active else { continue }
            let end = nodes[node].end
            for resident in nodes[node].residents where state(resident) == .idle {
                if let known = best, (known.length, known.sequence) <= (end, resident) { continue }
                best = (end, resident)
            }
            for child in nodes[node].children { pending.append(child.node) }
        }
        return best?.sequence
    }

    /// How many cells of a match no active sequence holds: what adopting it takes away from the
    /// cells that could be had by dropping idle sequences.
    func idleCells(in match: Match) -> Int {
        var cells = 0
        var node = match.node
        while node != Self.root, nodes[node].active == 0 {
            cells += min(nodes[node].end, match.length) - nodes[node].start
            node = nodes[node].parent
        }
        return cells
    }

    /// Whether another sequence of its tenant holds all that this one holds, in shared or in other
    /// cells: then it is worth nothing as a prefix.
    func isRedundant(_ sequence: SequenceID) -> Bool {
        let leaf = sequences[Int(sequence)].leaf
        guard leaf != Self.root else { return true }
        if nodes[leaf].sequences > 1 { return true }
        let parent = nodes[leaf].parent
        var siblings = nodes[parent].children
        if parent == Self.root {
            let tenant = sequences[Int(sequence)].tenant
            siblings.removeAll { $0.tenant != tenant }
        }
        return contains(nodes[leaf].tokens[...], among: siblings, except: leaf)
    }

    private func contains(
        _ tokens: ArraySlice<TokenID>, among children: [Child], except leaf: Int
    ) -> Bool {
        guard let next = tokens.first else { return true }
        for child in children where child.first == next && child.node != leaf {
            let run = nodes[child.node].tokens
            let count = min(run.count, tokens.count)
            guard tokens.prefix(count).elementsEqual(run.prefix(count)) else { continue }
            let rest = tokens.dropFirst(count)
            if contains(rest, among: nodes[child.node].children, except: leaf) { return true }
        }
        return false
    }

    /// Traps when the tree contradicts itself. Takes time in proportion to all content.
    func checkInvariants() {
        var used = 0
        var active = 0
        var visited = 0
        var pending = [Self.root]
        while let node = pending.popLast() {
            visited += 1
            let content = nodes[node]
            var below = content.residents.count
            var belowActive = content.residents.count { state($0) == .active }
            for resident in content.residents {
                precondition(sequences[Int(resident)].leaf == node, "a resident ends elsewhere")
                precondition(state(resident) != .free, "a free sequence holds tokens")
            }
            for child in content.children {
                let run = nodes[child.node]
                precondition(run.parent == node, "a child has another parent")
                precondition(run.start == content.end, "a child starts after a gap")
                precondition(run.tokens.first == child.first, "a child's first token is stale")
                below += run.sequences
                belowActive += run.active
                pending.append(child.node)
            }
            guard node != Self.root else { continue }
            precondition(below == content.sequences, "sequences counted wrongly")
            precondition(belowActive == content.active, "active sequences counted wrongly")
            precondition(below > 0 && !content.tokens.isEmpty, "a run without sequence or tokens")
            precondition(
                !(content.residents.isEmpty && content.children.count == 1), "a run cut needlessly")
            used += content.tokens.count
            if content.active > 0 { active += content.tokens.count }
        }
        precondition(used == usedCells, "used cells: \(usedCells), runs: \(used)")
        precondition(active == activeCells, "active cells: \(activeCells), runs: \(active)")
        precondition(usedCells <= totalCells, "more cells used than there are")
        precondition(sequences.count { $0.state == .free } == freeSequences)
        precondition(sequences.count { $0.state == .idle } == idleSequences)
        precondition(visited <= 2 * sequences.count + 1, "more runs than sequences can have")
        for sequence in sequences where sequence.leaf != Self.root {
            precondition(sequence.state != .free, "a free sequence holds tokens")
            var top = sequence.leaf
            while nodes[top].parent != Self.root { top = nodes[top].parent }
            let tenant = nodes[Self.root].children.first { $0.node == top }?.tenant
            precondition(tenant == sequence.tenant, "a sequence holds another tenant's tokens")
        }
    }
}
