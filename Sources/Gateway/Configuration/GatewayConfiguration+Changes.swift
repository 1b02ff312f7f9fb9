import InferenceAPI

/// What operators change at run time, as changes of the configuration.
extension GatewayConfiguration {
    /// The pool serves another file, and under another name if one is given.
    mutating func swap(pool name: String, path: String, model: String?) throws(APIError) {
        guard let pool = pools.firstIndex(where: { $0.name == name }),
            let place = models.firstIndex(where: { $0.name == pools[pool].model })
        else { throw APIError(.resourceNotFound, "There is no pool \(name.prefix(64)).") }
        guard pools[pool].kind == .engine else {
            throw APIError(.invalidValue, "The workers of that pool have their own model.")
        }
        models[place].path = path
        guard let model else { return }
        renameShares(of: models[place].name, to: model)
        models[place].name = model
        pools[pool].model = model
    }

    /// A pool is what it was before a change that could not be carried out.
    mutating func restore(_ settings: PoolSettings, _ model: ModelSettings) {
        guard let pool = pools.firstIndex(where: { $0.name == settings.name }),
            let place = models.firstIndex(where: { $0.name == pools[pool].model })
        else { return }
        renameShares(of: models[place].name, to: model.name)
        pools[pool] = settings
        models[place] = model
    }

    /// A pool that could not start is gone, with its model and what splits had of it.
    mutating func withdraw(pool name: String) {
        guard let pool = pools.firstIndex(where: { $0.name == name }) else { return }
        let model = pools.remove(at: pool).model
        models.removeAll { $0.name == model }
        for split in splits.indices {
            splits[split].shares.removeAll { $0.model == model }
        }
        splits.removeAll { $0.shares.isEmpty }
    }

    private mutating func renameShares(of model: String, to name: String) {
        for split in splits.indices {
            for share in splits[split].shares.indices
            where splits[split].shares[share].model == model {
                splits[split].shares[share].model = name
            }
        }
    }

    /// Another model, with processes of its own that are started as those of the first pool are.
    mutating func load(
        _ model: ModelSettings, workers: Int, arguments: [String]?
    ) throws(APIError) {
        guard let like = pools.compactMap(\.supervised).first else {
            throw APIError(.invalidValue, "This gateway starts no workers.")
        }
        var supervised = like
        if let arguments { supervised.commandLine.arguments = arguments }
        supervised.count = workers
        models.append(model)
        var pool = PoolSettings(name: model.name, model: model.name)
        pool.supervised = supervised
        pools.append(pool)
    }

    mutating func unload(_ model: String) throws(APIError) {
        guard let place = models.firstIndex(where: { $0.name == model }) else {
            throw .modelNotFound(model)
        }
        guard models.count > 1 else {
            throw APIError(.invalidValue, "It is the only model; swap it instead.")
        }
        if let split = splits.first(where: { $0.shares.contains { $0.model == model } }) {
            throw APIError(.invalidValue, "The split \(split.name) still names \(model).")
        }
        models.remove(at: place)
        pools.removeAll { $0.model == model }
    }

    mutating func setSplit(_ split: ModelSplit) {
        if let place = splits.firstIndex(where: { $0.name == split.name }) {
            // The order of the shares decides who moves when they change: it stays.
            let before = splits[place].shares.map(\.model)
            var split = split
            split.shares.sort {
                (before.firstIndex(of: $0.model) ?? .max, $0.model)
                    < (before.firstIndex(of: $1.model) ?? .max, $1.model)
            }
            splits[place] = split
        } else {
            splits.append(split)
        }
    }

    mutating func removeSplit(_ name: String) throws(APIError) {
        guard let place = splits.firstIndex(where: { $0.name == name }) else {
            throw APIError(.resourceNotFound, "There is no split \(name.prefix(64)).")
        }
        splits.remove(at: place)
    }
}
