internal import Admission
internal import Gateway
internal import HTTPTransport
internal import Routing

/// Makes a `GatewayConfiguration` of values that are right each for itself, and notes what is wrong
/// with them together.
struct GatewayComposer {
    let command: SettingsCommand
    let values: SettingValues
    /// Nil when there is no file.
    let file: ConfigurationFile?
    let state: StateDirectory
    let machine: ConfigurationSource.Machine
    var problems: ConfigurationErrors

    /// Nil when there is no model at all. With `problems`, nothing of it may be used.
    mutating func compose() -> GatewayConfiguration? {
        checkListener()
        let described = file.flatMap { $0.sectionSources.isEmpty ? nil : $0 }
        var configuration: GatewayConfiguration?
        if let described {
            refuseOneModel(beside: described)
            configuration = fleet(described)
        } else {
            configuration = oneModel()
        }
        FileChecks.checkListener(values, &problems)
        if configuration?.pools.contains(where: { $0.supervised != nil }) ?? false {
            checkSocketDirectory()
        }
        let metering = metering()
        return configuration.map { configuration in
            var configuration = filled(configuration)
            configuration.metering = metering
            return configuration
        }
    }

    /// A refusal of a setting's value, wherever it came from.
    mutating func refuse(_ setting: Setting, _ message: String) {
        let source = values.source(of: setting)
        var isUsage = false
        if case .flag = source { isUsage = true }
        problems.add(source, message, isUsage: isUsage)
    }

    // MARK: Listeners and limits

    private mutating func checkListener() {
        let hasCertificate = values.isGiven(.tlsCertificate)
        if hasCertificate != values.isGiven(.tlsKey) {
            refuse(
                hasCertificate ? .tlsCertificate : .tlsKey,
                "tls-certificate and tls-key go together")
        } else if hasCertificate, values.isOn(.tlsSelfSigned) {
            refuse(.tlsSelfSigned, "tls-self-signed excludes tls-certificate")
        }
        if values.isGiven(.tlsPort), !hasCertificate, !values.isOn(.tlsSelfSigned) {
            refuse(
                .tlsPort, "tls-port needs tls-certificate and tls-key, or tls-self-signed")
        }
        let host = values.requiredText(.host)
        if !values.isGiven(.apiKeyFile), !values.isOn(.requireKey), !Loopback.contains(host) {
            refuse(
                .host,
                "host \(host) can be reached from other machines: give api-key-file or require-key")
        }
    }

    private mutating func checkSocketDirectory() {
        let excess =
            state.socketDirectory.utf8.count - StateDirectory.socketDirectoryLimitBytes
        guard excess > 0 else { return }
        refuse(.dataDir, "data-dir \(state.path) is \(excess) bytes too long for unix sockets")
    }

    private func filled(_ configuration: GatewayConfiguration) -> GatewayConfiguration {
        var configuration = configuration
        configuration.host = values.requiredText(.host)
        configuration.port = values.requiredInteger(.port)
        configuration.adminHost = values.requiredText(.adminHost)
        configuration.adminPort = values.requiredInteger(.adminPort)
        configuration.adminIsLoopback = Loopback.contains(configuration.adminHost)
        configuration.adminTokenFile = values.text(.adminTokenFile)
        configuration.connectionLoops = values.requiredInteger(.loops)
        configuration.preparationThreads = values.requiredInteger(.tokenizerThreads)
        configuration.apiKeyFile = values.text(.apiKeyFile)
        configuration.licenseKeyFile = values.text(.licenseKeyFile)
        configuration.asksForKeys = values.isOn(.requireKey)
        configuration.accessLogPath = values.text(.accessLog)
        configuration.tracing = tracing()
        configuration.admission = AdmissionConfiguration(
            queueLimitTickets: values.requiredInteger(.queueLimit),
            waitLimitNanoseconds: Int64(values.requiredInteger(.queueWait)) * 1_000_000_000,
            noWorkerWaitLimitNanoseconds: Int64(values.requiredInteger(.noWorkerWait))
                * 1_000_000_000,
            promotionNanoseconds: Int64(values.requiredNumber(.ageingSeconds) * 1e9),
            batchReserveSlots: values.requiredInteger(.batchReserveSlots),
            standardShare: Double(values.requiredInteger(.defaultTierShare)) / 100,
            limitBurstShare: values.requiredNumber(.limitBurstSeconds) / 60,
            overload: OverloadController.Configuration(
                targetNanoseconds: Int64(values.requiredNumber(.overloadWaitSeconds) * 1e9),
                intervalNanoseconds: Int64(
                    values.requiredNumber(.overloadIntervalSeconds) * 1e9)))
        configuration.decisionLimit = values.requiredInteger(.decisionLimit)
        configuration.breaker = BreakerConfiguration(
            failureLimit: values.requiredInteger(.breakerFailures),
            windowNanoseconds: Int64(values.requiredNumber(.breakerWindowSeconds) * 1e9),
            openNanoseconds: Int64(values.requiredNumber(.breakerOpenSeconds) * 1e9))
        configuration.retryBudgetPercent = values.requiredInteger(.retryBudgetPercent)
        configuration.workerSlotsDefault = values.requiredInteger(.workerSlotsDefault)
        configuration.limits.retryLimit = values.requiredInteger(.retryLimit)
        configuration.limits.resumeLimit = values.requiredInteger(.resumeLimit)
        configuration.limits.bodyLimitBytes = values.requiredInteger(.bodyLimit)
        configuration.limits.keepaliveIntervalMilliseconds =
            values.requiredInteger(.keepaliveInterval)
        configuration.transport.writeStallTimeout = .seconds(
            Int64(values.requiredInteger(.stalledReaderSeconds)))
        configuration.limits.timeLimitSeconds = values.requiredInteger(.timeLimit)
        configuration.limits.sloTTFTMilliseconds = values.requiredInteger(.sloTTFT)
        configuration.limits.sloITLMilliseconds = values.requiredInteger(.sloITL)
        configuration.limits.resumeWindowSeconds = values.requiredInteger(.resumeWindowSeconds)
        configuration.limits.resumableStreamsLimit = values.requiredInteger(.resumableStreams)
        configuration.limits.resumableStreamBytes = values.requiredInteger(.resumableStreamBytes)
        configuration.workerHangNanoseconds = Int64(
            values.requiredNumber(.workerHangSeconds) * 1e9)
        configuration.healthIntervalNanoseconds = Int64(
            values.requiredNumber(.workerCheckSeconds) * 1e9)
        configuration.drainSeconds = values.requiredInteger(.drainSeconds)
        configuration.tls = tls()
        fillStorage(&configuration)
        return configuration
    }

    private func tracing() -> TracingSettings? {
        guard let text = values.text(.otlpEndpoint), let endpoint = UpstreamAddress(text: text)
        else { return nil }
        var tracing = TracingSettings(endpoint: endpoint)
        tracing.sampleRatio = values.requiredNumber(.otlpSampleRatio)
        tracing.serviceName = values.requiredText(.otlpServiceName)
        return tracing
    }

    private func tls() -> GatewayConfiguration.TLSListener? {
        guard let port = values.integer(.tlsPort) else { return nil }
        if let certificate = values.text(.tlsCertificate), let key = values.text(.tlsKey) {
            return .init(
                port: port,
                files: TLSFiles(certificateChainPath: certificate, privateKeyPath: key))
        }
        return .init(
            port: port, files: SelfSignedCertificate.paths(in: state.certificateDirectory))
    }

    // MARK: One model

    private mutating func refuseOneModel(beside file: ConfigurationFile) {
        guard case .file(let place)? = file.firstSection else { return }
        for setting in command.oneModel where values.isGiven(setting) {
            refuse(
                setting,
                "\(setting.name) is for one model and pool; \(place.file):\(place.line) "
                    + "describes models and pools already")
        }
    }

    /// What flags describe: one model and its pool, `default`.
    private mutating func oneModel() -> GatewayConfiguration? {
        guard var model = theModel() else {
            // A value that was refused has been told already.
            if problems.isEmpty {
                problems.add(
                    nil, "give --model, or --config with models and pools", isUsage: true)
            }
            return nil
        }
        if let name = values.text(.modelName) { model.name = name }
        model.aliases = values.list(.modelAlias)
        model.embeds = values.isOn(.embeddings)
        if model.embeds, model.path == nil {
            refuse(.embeddings, "embeddings: upstreams are asked for chat completions only")
        }
        var names: Set<String> = [model.name]
        for alias in model.aliases where !names.insert(alias).inserted {
            refuse(.modelAlias, "model-alias \"\(alias)\" is taken already")
        }
        var pool = PoolSettings(name: "default", model: model.name)
        pool.policy = RoutingPolicy(rawValue: values.requiredText(.policy)) ?? pool.policy
        switch command {
        case .gateway: addWorkers(to: &pool)
        default:
            pool.supervised = SupervisedWorkers(
                commandLine: commandLine(
                    values, arguments: values.list(.workerArgument),
                    machineWorkers: values.requiredInteger(.workers)),
                count: values.requiredInteger(.workers))
        }
        return GatewayConfiguration(models: [model], pools: [pool])
    }

    /// Upstreams have a name of it, all others a file.
    private mutating func theModel() -> ModelSettings? {
        if command == .gateway, !values.list(.upstream).isEmpty {
            for setting in [Setting.model, .worker] where values.isGiven(setting) {
                refuse(setting, "upstream excludes \(setting.name)")
            }
            guard let name = values.text(.modelName) else {
                refuse(.upstream, "upstream needs model-name")
                return nil
            }
            return ModelSettings(name: name, path: nil)
        }
        guard let path = values.text(.model) else { return nil }
        FileChecks.checkModel(path, values.source(of: .model), &problems)
        return ModelSettings(path: path)
    }

    private mutating func addWorkers(to pool: inout PoolSettings) {
        pool.registration = values.list(.workerAllow).compactMap { WorkerAddressRule($0) }
        pool.link.authorityPath = values.text(.workerAuthority)
        pool.link.certificatePath = values.text(.workerCertificate)
        pool.link.keyPath = values.text(.workerKey)
        pool.link.serverName = values.text(.workerServerName)
        pool.link.tokenPath = values.text(.workerTokenFile)
        pool.link.allowsPlaintext = values.isOn(.allowPlaintextWorkers)
        if values.list(.upstream).isEmpty, let fault = pool.link.fault {
            problems.add(nil, fault, isUsage: true)
        }
        FileChecks.checkLink(
            values, authority: .workerAuthority, certificate: .workerCertificate,
            key: .workerKey, token: .workerTokenFile, &problems)
        let upstreams = values.list(.upstream).compactMap { UpstreamAddress(text: $0) }
        pool.kind = upstreams.isEmpty ? .engine : .openAI
        pool.upstream.model = values.text(.upstreamModel)
        pool.upstream.slots = values.integer(.upstreamSlots)
        pool.workers = upstreams.map { WorkerSettings($0) }
        for worker in pool.workers {
            if let refusal = pool.linkRefusal(worker.endpoint) { refuse(.upstream, refusal) }
        }
        for text in values.list(.worker) {
            guard let endpoint = HTTPEndpoint(text: text) else { continue }
            pool.workers.append(WorkerSettings(endpoint))
            if let refusal = pool.linkRefusal(endpoint) { refuse(.worker, refusal) }
        }
        for text in values.list(.workerDNS) {
            guard case .tcp(let name, let port)? = HTTPEndpoint(text: text) else { continue }
            var settings = DNSSettings(name: name, port: port)
            settings.refreshSeconds = values.requiredInteger(.workerDNSSeconds)
            pool.dns.append(settings)
        }
        if pool.workers.isEmpty, pool.dns.isEmpty {
            problems.add(
                nil, "give at least one --worker, --worker-dns or --upstream", isUsage: true)
        }
    }

    // MARK: Workers' command lines

    /// Without the model, which the gateway adds. `machineWorkers`: all processes of this machine,
    /// which share its cores unless told.
    func commandLine(
        _ given: SettingValues, arguments: [String], machineWorkers: Int
    ) -> WorkerCommandLine {
        var words = ["--engine", given.requiredText(.engine)]
        for setting in Setting.ofPoolProcesses {
            if let value = given.given[setting.name]?.value {
                switch value {
                case .toggle(let isOn): words += isOn ? ["--\(setting.name)"] : []
                default: words += ["--\(setting.name)", value.text]
                }
            } else if setting.name == Setting.threads.name {
                words += ["--threads", "\(defaultThreads(machineWorkers))"]
            }
        }
        words += ["--drain-seconds", "\(values.requiredInteger(.drainSeconds))"]
        let level = values.requiredText(.logLevel)
        if level != Setting.logLevel.fallback?.text { words += ["--log-level", level] }
        words += arguments
        var line = WorkerCommandLine(
            executable: machine.executable, arguments: words,
            socketDirectory: state.socketDirectory)
        line.journalDirectory = state.journalDirectory
        line.devices = given.text(.devices)?.split(separator: ",").map(String.init) ?? []
        return line
    }

    /// The cores shared between the workers; from three cores on, one is left to the gateway,
    /// since engine threads that wait for a core stall the whole step.
    private func defaultThreads(_ machineWorkers: Int) -> Int {
        max(1, (machine.cores > 2 ? machine.cores - 1 : machine.cores) / max(1, machineWorkers))
    }
}
