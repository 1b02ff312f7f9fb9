import InferenceAPI
import InferenceTypes
import NIOCore

/// What clients can ask for, and which pool serves it. Immutable; replaced whole.
struct Catalogue: Sendable {
    private enum Target {
        case pool(Pool)
        /// Each with the sum of the weights up to and with its own.
        case split(name: String, [(pool: Pool, upTo: UInt64)])
    }

    /// Looked up only.
    private let targets: [String: Target]
    let list: ModelList
    let languageModels: LanguageModelList
    /// The answer to `GET /v1/models`.
    let listBody: ByteBuffer

    /// - Parameter pools: by model.
    init(models: [ModelSettings], splits: [ModelSplit], pools: [String: Pool]) {
        var targets: [String: Target] = [:]
        var descriptions: [LanguageModelDescription] = []
        for model in models {
            guard let pool = pools[model.name] else { continue }
            for name in [model.name] + model.aliases { targets[name] = .pool(pool) }
            descriptions.append(
                LanguageModelDescription(
                    pool.model, name: model.name, aliases: model.aliases))
        }
        for split in splits {
            var sum: UInt64 = 0
            var shares: [(pool: Pool, upTo: UInt64)] = []
            for share in split.shares {
                guard let pool = pools[share.model] else { continue }
                sum += UInt64(share.weight)
                shares.append((pool, sum))
            }
            guard let first = shares.first else { continue }
            targets[split.name] = .split(name: split.name, shares)
            descriptions.append(
                LanguageModelDescription(first.pool.model, name: split.name))
        }
        self.targets = targets
        hasUpstreams = pools.values.contains { $0.kind == .openAI }
        languageModels = LanguageModelList(descriptions)
        list = ModelList(descriptions.map(\.model))
        var body = ByteBuffer()
        list.write(into: &body)
        listBody = body
    }

    /// What a principal may use.
    func languageModels(for principal: Principal) -> LanguageModelList {
        guard !principal.isUnrestricted else { return languageModels }
        return LanguageModelList(
            languageModels.models.filter { description in
                let names = [description.model.id] + description.model.aliases
                switch targets[description.model.id] {
                case .pool(let pool):
                    return principal.uses(pool) && names.contains(where: principal.allows(model:))
                case .split(_, let shares):
                    return shares.contains { principal.uses($0.pool) }
                        && names.contains(where: principal.allows(model:))
                case nil: return false
                }
            })
    }

    /// Whether requests for that name may go to workers that take text.
    func takesText(_ name: String) -> Bool {
        switch targets[name] {
        case .pool(let pool): pool.kind == .openAI
        case .split(_, let shares): shares.contains { $0.pool.kind == .openAI }
        case nil: false
        }
    }

    /// Whether any model's workers take text.
    let hasUpstreams: Bool

    /// The pool for a request. The same conversation gets the same share of a split; when shares
    /// change, as few conversations move as possible: those at the borders.
    ///
    /// - Parameter conversation: asked for only where a split needs it.
    /// Throws `modelNotFound`.
    func pool(for name: String, conversation: () -> UInt64) throws(APIError) -> Pool {
        switch targets[name] {
        case .pool(let pool): return pool
        case .split(let name, let shares):
            let sum = shares[shares.count - 1].upTo
            let drawn = SeededGenerator.value(
                seed: StableHash.of(name), counter: conversation())
            let place = drawn.multipliedFullWidth(by: sum).high
            return (shares.first { place < $0.upTo } ?? shares[shares.count - 1]).pool
        case nil: throw .modelNotFound(name)
        }
    }
}

extension LanguageModelDescription {
    fileprivate init(_ model: ServedModel, name: String, aliases: [String] = []) {
        var description = ModelDescription(
            id: name, aliases: aliases, created: model.created, ownedBy: "switchyard")
        // Not a split's name, behind which are several models' vectors.
        description.embeds = model.embeds && name == model.name
        self.init(
            model: description, fingerprint: model.fingerprint,
            contextTokens: model.tokenizer?.contextTokens)
    }
}
