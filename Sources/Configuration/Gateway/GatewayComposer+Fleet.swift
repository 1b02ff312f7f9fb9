internal import Gateway
internal import HTTPTransport
internal import Routing

extension GatewayComposer {
    /// What a file's `models`, `splits` and `pools` describe.
    mutating func fleet(_ file: ConfigurationFile) -> GatewayConfiguration {
        var names = Names()
        let models = file.models.compactMap { model($0, &names) }
        let known = Set(models.map(\.name))
        let splits = file.splits.map { split($0, known, &names) }
        if file.models.isEmpty {
            problems.add(file.firstSection, "there are no models")
        }
        let machineWorkers = file.pools.reduce(0) {
            $0 + ($1.supervised?.requiredInteger(.workers) ?? 0)
        }
        var poolNames = Names()
        var served = Names()
        var pools: [PoolSettings] = []
        for section in file.pools {
            let name = section.values.text(.poolName)
            if let name { claim(name, section.values.source(of: .poolName), "pool", &poolNames) }
            guard let model = section.values.text(.poolModel) else { continue }
            let source = section.values.source(of: .poolModel)
            guard let target = models.first(where: { $0.name == model }) else {
                problems.add(
                    source,
                    "there is no model \"\(model)\""
                        + Suggestion.text(for: model, among: models.map(\.name)))
                continue
            }
            if let line = served.line(of: model, else: source) {
                problems.add(source, "model \"\(model)\" has a pool already, in line \(line)")
            }
            pools.append(pool(section, name ?? "", target, machineWorkers))
        }
        for model in file.models {
            guard let name = model.values.text(.name),
                served.line(of: name, else: model.source) == nil
            else { continue }
            problems.add(model.source, "model \"\(name)\" has no pool")
        }
        var configuration = GatewayConfiguration(models: models, pools: pools)
        configuration.splits = splits
        return configuration
    }

    /// Names that are taken, and the lines that took them.
    struct Names {
        private var lines: [String: Int] = [:]

        /// The line that has the name; nil, and the name is taken by `source`, when none has.
        mutating func line(of name: String, else source: ValueSource) -> Int? {
            if let line = lines[name] { return line }
            if case .file(let place) = source { lines[name] = place.line } else { lines[name] = 0 }
            return nil
        }
    }

    private mutating func claim(
        _ name: String, _ source: ValueSource, _ what: String, _ names: inout Names
    ) {
        guard let line = names.line(of: name, else: source) else { return }
        problems.add(source, "\(what) \"\(name)\" is there already, in line \(line)")
    }

    private mutating func model(
        _ section: ConfigurationFile.Model, _ names: inout Names
    ) -> ModelSettings? {
        guard let name = section.values.text(.name) else { return nil }
        claim(name, section.values.source(of: .name), "name", &names)
        var model = ModelSettings(name: name, path: section.values.text(.path))
        model.aliases = section.values.list(.aliases)
        model.templatePath = section.values.text(.template)
        model.embeds = section.values.isOn(.embeddings)
        if model.embeds, model.path == nil {
            problems.add(
                section.values.source(of: .embeddings),
                "embeddings: upstreams are asked for chat completions only")
        }
        for (index, alias) in model.aliases.enumerated() {
            let source = section.values[.aliases]?.source(ofElement: index) ?? section.source
            claim(alias, source, "name", &names)
        }
        if let path = model.path {
            FileChecks.checkModel(path, section.values.source(of: .path), &problems)
        }
        if let template = model.templatePath {
            FileChecks.checkReadable(template, section.values.source(of: .template), &problems)
        }
        return model
    }

    private mutating func split(
        _ section: ConfigurationFile.Split, _ known: Set<String>, _ names: inout Names
    ) -> ModelSplit {
        claim(section.name, section.source, "name", &names)
        if section.shares.isEmpty {
            problems.add(section.source, "split \"\(section.name)\" has no shares")
        }
        for share in section.shares where !known.contains(share.model) {
            problems.add(
                share.source,
                "there is no model \"\(share.model)\""
                    + Suggestion.text(for: share.model, among: known.sorted()))
        }
        return ModelSplit(
            name: section.name,
            shares: section.shares.map { .init(model: $0.model, weight: $0.weight) })
    }

    private mutating func pool(
        _ section: ConfigurationFile.Pool, _ name: String, _ model: ModelSettings,
        _ machineWorkers: Int
    ) -> PoolSettings {
        var pool = PoolSettings(name: name, model: model.name)
        pool.kind = PoolSettings.Kind(rawValue: section.values.requiredText(.kind)) ?? pool.kind
        pool.policy = RoutingPolicy(rawValue: section.values.requiredText(.policy)) ?? pool.policy
        pool.aheadLimitTickets = section.values.requiredInteger(.aheadLimit)
        pool.link = link(section.link, pool.kind)
        pool.registration = section.values.list(.allow).compactMap { WorkerAddressRule($0) }
        switch pool.kind {
        case .engine where model.path == nil:
            problems.add(
                section.values.source(of: .poolModel),
                "model \"\(model.name)\" has no path, which a pool of kind engine needs")
        case .openAI where section.workers.isEmpty && section.dns.isEmpty:
            problems.add(
                section.values.source(of: .kind), "a pool of kind openai needs workers or dns")
        default: break
        }
        if let supervised = section.supervised {
            pool.supervised = self.supervised(section, supervised, pool, machineWorkers)
        }
        if let upstream = section.upstream {
            if pool.kind == .engine {
                problems.add(section.upstreamSource, "upstream is of kind openai")
            }
            pool.upstream.model = upstream.text(.callsModel)
            pool.upstream.slots = upstream.integer(.upstreamRequests)
            pool.upstream.silenceSeconds = upstream.requiredInteger(.silenceSeconds)
            pool.upstream.answerBytesLimit = upstream.requiredInteger(.answerLimit)
        }
        var addresses = Names()
        for section in section.workers {
            guard var worker = worker(section, pool.kind) else { continue }
            worker.weight = section.requiredNumber(.weight)
            pool.workers.append(worker)
            let source = section.source(of: .address)
            claim(worker.endpoint.text, source, "worker", &addresses)
            checkEncryption(worker.endpoint, source, pool)
        }
        for entry in section.dns {
            guard let host = entry.text(.dnsName), let port = entry.integer(.dnsPort) else {
                continue
            }
            var settings = DNSSettings(name: host, port: port)
            settings.refreshSeconds = entry.requiredInteger(.refreshSeconds)
            pool.dns.append(settings)
            checkEncryption(.tcp(host: host, port: port), entry.source(of: .dnsName), pool)
        }
        return pool
    }

    private mutating func supervised(
        _ section: ConfigurationFile.Pool, _ values: SettingValues, _ pool: PoolSettings,
        _ machineWorkers: Int
    ) -> SupervisedWorkers? {
        if pool.kind == .openAI {
            problems.add(
                section.supervisedSource, "a pool of kind openai has no supervised workers")
        }
        if command != .serve {
            problems.add(
                section.supervisedSource, "only `switchyard serve` has supervised workers")
        }
        var workers = SupervisedWorkers(
            commandLine: commandLine(
                values, arguments: values.list(.arguments), machineWorkers: machineWorkers),
            count: values.requiredInteger(.workers))
        workers.weight = values.requiredNumber(.weight)
        return workers
    }

    private mutating func link(
        _ section: SettingValues?, _ kind: PoolSettings.Kind
    ) -> LinkSettings {
        var link = LinkSettings()
        guard let section else { return link }
        link.authorityPath = section.text(.authority)
        link.certificatePath = section.text(.certificate)
        link.keyPath = section.text(.key)
        link.serverName = section.text(.serverName)
        link.tokenPath = section.text(.tokenFile)
        link.allowsPlaintext = section.isOn(.allowPlaintextLinks)
        if section.isGiven(.certificate) != section.isGiven(.key) {
            problems.add(
                section.source(of: section.isGiven(.key) ? .key : .certificate),
                "certificate and key go together")
        }
        for setting in [Setting.certificate, .serverName]
        where kind == .engine && section.isGiven(setting) && !section.isGiven(.authority) {
            problems.add(section.source(of: setting), "\(setting.name) needs authority")
        }
        if link.usesTLS, (link.certificatePath == nil) == (link.keyPath == nil),
            let fault = link.fault
        {
            problems.add(section.source(of: .serverName), fault)
        }
        FileChecks.checkLink(
            section, authority: .authority, certificate: .certificate, key: .key,
            token: .tokenFile, &problems)
        return link
    }

    private mutating func worker(
        _ section: SettingValues, _ kind: PoolSettings.Kind
    ) -> WorkerSettings? {
        guard let text = section.text(.address) else { return nil }
        if let upstream = UpstreamAddress(text: text) {
            guard kind == .openAI else {
                problems.add(
                    section.source(of: .address),
                    "address: a pool of kind engine has workers at unix:/path or host:port")
                return nil
            }
            return WorkerSettings(upstream)
        }
        guard let endpoint = HTTPEndpoint(text: text) else { return nil }
        if case .unix = endpoint, kind == .openAI {
            problems.add(
                section.source(of: .address), "address: a pool of kind openai has none at unix:")
            return nil
        }
        return WorkerSettings(endpoint)
    }

    private mutating func checkEncryption(
        _ endpoint: HTTPEndpoint, _ source: ValueSource, _ pool: PoolSettings
    ) {
        guard pool.linkRefusal(endpoint) != nil else { return }
        let remedy = pool.kind == .openAI ? "use https" : "give link: authority"
        problems.add(
            source,
            "the link to \(endpoint.text) would be plaintext: \(remedy), or allow-plaintext")
    }
}
