import InferenceTypes

/// How policies find candidates. All of them skip workers without room and ones already found.
extension Fleet {
    /// Appends the worker of the row.
    func append(
        _ row: Int, _ origin: Candidate.Origin, cachedTokens: Int,
        to candidates: inout [Candidate]
    ) {
        guard hasRoom(row) else { return }
        let worker = rows[row]
        for candidate in candidates where candidate.worker == worker.id { return }
        candidates.append(Candidate(worker, origin, cachedTokens: cachedTokens))
    }

    /// Appends those that hold the deepest known prefix.
    func appendHolders(_ request: PlacementRequest, to candidates: inout [Candidate]) {
        let (blocks, entry) = prefixes.deepest(request.blocks)
        let tokens = blocks * configuration.prefix.blockTokens
        prefixes.forEachHolder(of: entry) { worker in
            guard let row = row(of: worker) else { return }
            append(row, .holder, cachedTokens: tokens, to: &candidates)
        }
    }

    /// Appends the conversation's last worker.
    func appendSession(_ request: PlacementRequest, to candidates: inout [Candidate]) {
        guard let key = request.conversation, let worker = sessions.worker(of: key),
            let row = row(of: worker)
        else { return }
        append(row, .session, cachedTokens: cachedTokens(request, row), to: &candidates)
    }

    /// Appends `count` different workers drawn at random, or all when there are no more.
    func appendRandom(
        _ count: Int, _ request: PlacementRequest, seed: UInt64, to candidates: inout [Candidate]
    ) {
        if room.count <= count {
            for place in 0..<room.count {
                let row = room[place]
                append(row, .random, cachedTokens: cachedTokens(request, row), to: &candidates)
            }
            return
        }
        // Floyd's sampling without replacement (Bentley and Floyd, CACM 30(9), 1987): the places
        // drawn so far are kept in a word list as short as the draw.
        var random = SeededGenerator(seed: seed)
        var drawn: [Int] = []
        drawn.reserveCapacity(count)
        for limit in (room.count - count)..<room.count {
            let place = Int(random.next().multipliedFullWidth(by: UInt64(limit + 1)).high)
            drawn.append(drawn.contains(place) ? limit : place)
        }
        for place in drawn {
            let row = room[place]
            append(row, .random, cachedTokens: cachedTokens(request, row), to: &candidates)
        }
    }

    func cachedTokens(_ request: PlacementRequest, _ row: Int) -> Int {
        guard !request.blocks.hashes.isEmpty else { return 0 }
        return prefixes.blocksHeld(of: request.blocks, by: rows[row].id)
            * configuration.prefix.blockTokens
    }
}
