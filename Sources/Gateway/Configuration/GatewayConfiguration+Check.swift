/// What makes a configuration unusable as a whole.
package enum ConfigurationProblem: Error, Hashable, CustomStringConvertible {
    case noModel
    case nameTwice(String)
    case poolTwice(String)
    case unknownModel(String, usedBy: String)
    case modelWithoutPool(String)
    case modelInTwoPools(String)
    case badWeight(model: String, split: String)
    case emptySplit(String)
    case noTokenizer(model: String, pool: String)
    case noWorkers(pool: String)
    case unusableLink(pool: String, reason: String)
    case upstreamTwice(String, pool: String)
    case notUpstreams(pool: String)

    package var description: String {
        switch self {
        case .noModel: "there is no model"
        case .nameTwice(let name): "two models, aliases or splits are called \(name)"
        case .poolTwice(let name): "two pools are called \(name)"
        case .unknownModel(let model, let user): "\(user) names \(model), which is no model here"
        case .modelWithoutPool(let model): "no pool serves the model \(model)"
        case .modelInTwoPools(let model): "two pools serve the model \(model)"
        case .badWeight(let model, let split):
            "the weight of \(model) in \(split) must be 1...\(ModelSplit.weightLimit)"
        case .emptySplit(let split): "the split \(split) names no model"
        case .noTokenizer(let model, let pool):
            "the workers of pool \(pool) take token ids, so the model \(model) needs a GGUF"
        case .noWorkers(let pool):
            "pool \(pool) has kind openai and no addresses: it cannot start workers itself"
        case .unusableLink(let pool, let reason): "pool \(pool): \(reason)"
        case .upstreamTwice(let endpoint, let pool):
            "two upstreams of pool \(pool) are at \(endpoint)"
        case .notUpstreams(let pool):
            "pool \(pool) has kind openai: its workers are at http, https or h2c addresses"
        }
    }
}

extension ModelSplit {
    /// Largest weight of one share.
    package static let weightLimit = 1_000_000
}

extension GatewayConfiguration {
    /// All that is wrong with how models, splits and pools refer to each other.
    package var problems: [ConfigurationProblem] {
        var found: [ConfigurationProblem] = models.isEmpty ? [.noModel] : []
        var names: Set<String> = []
        for name in models.flatMap({ [$0.name] + $0.aliases }) + splits.map(\.name)
        where !names.insert(name).inserted {
            found.append(.nameTwice(name))
        }
        let known = Set(models.map(\.name))
        for split in splits {
            if split.shares.isEmpty { found.append(.emptySplit(split.name)) }
            for share in split.shares {
                if !known.contains(share.model) {
                    found.append(.unknownModel(share.model, usedBy: "the split \(split.name)"))
                }
                if !(1...ModelSplit.weightLimit).contains(share.weight) {
                    found.append(.badWeight(model: share.model, split: split.name))
                }
            }
        }
        return found + poolProblems(known)
    }

    /// A pool tells its upstreams apart by where they are, whatever their paths.
    private static func upstreamProblems(_ pool: PoolSettings) -> [ConfigurationProblem] {
        var found: [ConfigurationProblem] = []
        var endpoints: Set<String> = []
        for worker in pool.workers {
            if case .unix = worker.endpoint { found.append(.notUpstreams(pool: pool.name)) }
            let text = worker.endpoint.text
            if !endpoints.insert(text).inserted {
                found.append(.upstreamTwice(text, pool: pool.name))
            }
        }
        return found
    }

    private func poolProblems(_ known: Set<String>) -> [ConfigurationProblem] {
        var found: [ConfigurationProblem] = []
        var poolNames: Set<String> = []
        var served: Set<String> = []
        for pool in pools {
            if !poolNames.insert(pool.name).inserted { found.append(.poolTwice(pool.name)) }
            guard let model = models.first(where: { $0.name == pool.model }) else {
                found.append(.unknownModel(pool.model, usedBy: "pool \(pool.name)"))
                continue
            }
            if !served.insert(pool.model).inserted { found.append(.modelInTwoPools(pool.model)) }
            if pool.kind == .engine, model.path == nil {
                found.append(.noTokenizer(model: model.name, pool: pool.name))
            }
            if pool.kind == .openAI, pool.workers.isEmpty, pool.dns.isEmpty {
                found.append(.noWorkers(pool: pool.name))
            }
            if pool.kind == .openAI { found += Self.upstreamProblems(pool) }
        }
        for name in models.map(\.name) where known.contains(name) && !served.contains(name) {
            found.append(.modelWithoutPool(name))
        }
        return found
    }
}
