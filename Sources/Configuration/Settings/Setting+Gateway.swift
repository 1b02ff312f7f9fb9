/// Settings of `serve` and `gateway`: listeners, limits, logs.
extension Setting {
    static let config = Setting(
        "config", .path, "Configuration file, YAML; flags and environment go before it.")

    package static let host = Setting(
        "host", .text, default: .text("127.0.0.1"),
        "Address for clients. Others than loopback need keys: --api-key-file or --require-key.")
    static let port = Setting(
        "port", .integer(0...65_535), default: .integer(8_080),
        "Port for clients without TLS: HTTP/2 by prior knowledge and HTTP/1.1.")
    static let tlsPort = Setting(
        "tls-port", .integer(0...65_535), unset: "none",
        "Port for clients with TLS: HTTP/2 and HTTP/1.1 by ALPN.")
    static let tlsCertificate = Setting("tls-certificate", .path, "Certificate chain, PEM.")
    static let tlsKey = Setting("tls-key", .path, "Private key, PEM.")
    static let tlsSelfSigned = Setting(
        "tls-self-signed", .toggle, default: .toggle(false),
        "Make a certificate for localhost in the data directory (development only).")
    static let adminHost = Setting(
        "admin-host", .text, default: .text("127.0.0.1"), "Address for probes and metrics.")
    static let adminPort = Setting(
        "admin-port", .integer(0...65_535), default: .integer(8_081),
        "Port for /livez, /readyz, /healthz, /metrics and /admin.")
    static let adminTokenFile = Setting(
        "admin-token-file", .path, unset: "none",
        "File with one token a line for /admin; without it only a loopback --admin-host has it.")
    static let apiKeyFile = Setting(
        "api-key-file", .path, unset: "none",
        "File with one API key a line; without it everybody may use a loopback address.")
    static let requireKey = Setting(
        "require-key", .toggle, default: .toggle(false),
        "Requests need an API key, of a tenant or of the file, also while there is none.")
    static let licenseKeyFile = Setting(
        "license-key-file", .path, unset: "none",
        "Public keys (JWK or JWK set, Ed25519) of those whose licences may be imported.")
    static let accessLog = Setting(
        "access-log", .path, unset: "none",
        "File to which each ended request adds a line of JSON; - for standard output.")
    static let otlpEndpoint = Setting(
        "otlp-endpoint", .upstream, unset: "none", sharedVariable: "OTEL_EXPORTER_OTLP_ENDPOINT",
        """
        An OTLP collector (http://host:4318) that gets a trace of each request, as JSON. Also \
        OTEL_EXPORTER_OTLP_ENDPOINT.
        """)
    static let otlpSampleRatio = Setting(
        "otlp-sample-ratio", .number(0...1), default: .number(1),
        "Share of traces that are kept, of those that begin here.")
    static let otlpServiceName = Setting(
        "otlp-service-name", .text, default: .text("switchyard"),
        sharedVariable: "OTEL_SERVICE_NAME",
        "What the gateway is called in its traces. Also OTEL_SERVICE_NAME.")
    static let loops = Setting(
        "loops", .integer(1...256), default: .integer(1), "Event loops that serve clients.")
    static let tokenizerThreads = Setting(
        "tokenizer-threads", .integer(1...256), default: .integer(1),
        "Threads that apply templates and tokenize.")
    static let queueLimit = Setting(
        "queue-limit", .integer(1...1_000_000), default: .integer(1_024),
        "Requests that may wait for a slot; more are refused with 503.")
    static let queueWait = Setting(
        "queue-wait", .integer(1...1_000_000), default: .integer(600),
        "Longest wait for a slot, in seconds; then 503.")
    static let noWorkerWait = Setting(
        "no-worker-wait", .integer(1...1_000_000), default: .integer(15),
        "Longest wait while no worker is ready, in seconds; then 503.")
    static let ageingSeconds = Setting(
        "ageing-seconds", .number(0.1...3_600), default: .number(10),
        "A tier that waited so long while others went before it goes first once, in seconds.")
    static let defaultTierShare = Setting(
        "default-tier-share", .integer(0...90), default: .integer(10),
        "Engine time that the default tier gets under any load of priority work, in percent.")
    static let limitBurstSeconds = Setting(
        "limit-burst-seconds", .number(0.01...60), default: .number(10),
        "Limits per minute let through so many seconds' worth at once; more is 429.")
    static let overloadWaitSeconds = Setting(
        "overload-wait-seconds", .number(0...1_000_000), default: .number(60),
        """
        While no request gets a slot sooner, in seconds, the newest of the lowest tier are \
        refused with 503; 0 for never.
        """)
    static let overloadIntervalSeconds = Setting(
        "overload-interval-seconds", .number(0.1...3_600), default: .number(10),
        "How long waits may be longer than that, in seconds.")
    static let retryLimit = Setting(
        "retry-limit", .integer(0...1_000_000), default: .integer(3),
        "Workers that a request may lose in a row without a token from any; then it fails.")
    static let resumeLimit = Setting(
        "resume-limit", .integer(0...1_000_000), default: .integer(64),
        "Times that a stream goes on with another worker when it lost its own.")
    static let decisionLimit = Setting(
        "decision-limit", .integer(0...10_000_000), default: .integer(4_096),
        "Routing decisions that are kept for `switchyard why`; 0: none.")
    static let breakerFailures = Setting(
        "breaker-failures", .integer(1...1_024), default: .integer(5),
        "Failures of a worker's calls within the window that open its breaker.")
    static let breakerWindowSeconds = Setting(
        "breaker-window-seconds", .number(0.1...3_600), default: .number(30),
        "Window in which a worker's failures are counted, in seconds.")
    static let breakerOpenSeconds = Setting(
        "breaker-open-seconds", .number(0.1...3_600), default: .number(10),
        "How long an open breaker keeps requests from its worker, in seconds.")
    static let retryBudgetPercent = Setting(
        "retry-budget-percent", .integer(0...1_000), default: .integer(20),
        "Second tries of failed calls, in percent of the requests; 0 for none.")
    static let workerSlotsDefault = Setting(
        "worker-slots-default", .integer(1...1_000_000), default: .integer(256),
        "Requests at once of a worker that does not say how many it takes.")
    static let workerHangSeconds = Setting(
        "worker-hang-seconds", .number(0.1...3_600), default: .number(5),
        "Silence, also to PINGs, after which a worker counts as lost, in seconds.")
    static let workerCheckSeconds = Setting(
        "worker-check-seconds", .number(0.1...3_600), default: .number(2),
        "How often a worker is asked for its health, in seconds.")
    static let bodyLimit = Setting(
        "body-limit", .integer(1...(1 << 40)), default: .integer(20 << 20),
        "Largest request body or gRPC message, in bytes; more is 413 or RESOURCE_EXHAUSTED.")
    static let keepaliveInterval = Setting(
        "keepalive-interval", .integer(0...86_400_000), default: .integer(5_000),
        "Silence after which a stream gets a comment, in milliseconds; 0 for never.")
    static let stalledReaderSeconds = Setting(
        "stalled-reader-seconds", .integer(1...86_400), default: .integer(300),
        """
        How long a client may leave what it was sent unread, in seconds. Its sequences wait \
        meanwhile; then its stream, or its connection where it reads none at all, is ended: \
        `reader_stalled` in the access log.
        """)
    static let timeLimit = Setting(
        "time-limit", .integer(1...1_000_000), default: .integer(3_600),
        "Longest run of one request, in seconds; then it ends with `length`.")
    static let sloTTFT = Setting(
        "slo-ttft-ms", .integer(1...1_000_000), default: .integer(500),
        "Service level: time to a request's first token, in milliseconds; only counted.")
    static let sloITL = Setting(
        "slo-itl-ms", .integer(1...1_000_000), default: .integer(50),
        "Service level: mean time between a request's tokens, in milliseconds; only counted.")
    static let resumeWindowSeconds = Setting(
        "resume-window-seconds", .integer(1...86_400), default: .integer(60),
        "How long a stream that goes on without its client waits for it, in seconds.")
    static let resumableStreams = Setting(
        "resumable-streams", .integer(0...1_000_000), default: .integer(1_024),
        "Streams at once that go on without their client; more is 503.")
    static let resumableStreamBytes = Setting(
        "resumable-stream-bytes", .integer(1_024...(1 << 30)), default: .integer(1 << 20),
        "Events kept of each such stream, in bytes; generation waits for a reader beyond.")
    static let drainSeconds = Setting(
        "drain-seconds", .integer(0...86_400), default: .integer(30),
        "After SIGTERM, how long streams may go on, in seconds.")
    static let dataDir = Setting(
        "data-dir", .path, unset: "~/.local/state/switchyard",
        "Directory for sockets and other state; made with mode 0700.")
    package static let logLevel = Setting(
        "log-level", .word(["debug", "info", "notice", "warning", "error"]),
        default: .text("info"), "Least severe log level shown.")

    /// The one model and pool of a program without `models` in a file.
    static let model = Setting(
        "model", .path,
        "The model, a GGUF file; the gateway reads only its vocabulary and chat template.")
    static let modelName = Setting(
        "model-name", .text, unset: "its file's name without .gguf",
        "What clients call the model.")
    static let modelAlias = Setting(
        "model-alias", .text, isList: true, "Another name for the model.")

    static let embeddings = Setting(
        "embeddings", .toggle, default: .toggle(false),
        "Serve /v1/embeddings: the mean of the model's last hidden states.")

    /// `serve` alone.
    static let workers = Setting(
        "workers", .integer(1...64), default: .integer(1), "Worker processes to run.")
    static let workerArgument = Setting(
        "worker-argument", .text, isList: true, takesDashes: true,
        "A further argument for `switchyard worker`.")

    /// `gateway` alone.
    static let worker = Setting(
        "worker", .address, isList: true, "A worker that runs elsewhere.")
    static let upstream = Setting(
        "upstream", .upstream, isList: true,
        "An OpenAI-compatible server instead of workers, with --model-name instead of --model.")
    static let upstreamModel = Setting(
        "upstream-model", .text, unset: "as we do, or the first they list",
        "What upstreams call the model.")
    static let upstreamSlots = Setting(
        "upstream-slots", .integer(1...65_536), unset: "what it says, or 256",
        "Requests that an upstream may have at once.")
    static let workerDNS = Setting(
        "worker-dns", .hostPort, isList: true,
        "A name and port whose addresses are workers, looked up again and again.")
    static let workerDNSSeconds = Setting(
        "worker-dns-seconds", .integer(1...3_600), default: .integer(5),
        "How often --worker-dns is looked up, in seconds.")
    static let workerAuthority = Setting(
        "worker-authority", .path, unset: "no TLS",
        "Links to workers on TCP use TLS; theirs must chain to one of these, PEM.")
    static let workerCertificate = Setting(
        "worker-certificate", .path, "The certificate that the gateway shows its workers, PEM.")
    static let workerKey = Setting("worker-key", .path, "Its private key, PEM.")
    static let workerServerName = Setting(
        "worker-server-name", .text, unset: "their address's",
        "The name that workers' certificates must have.")
    static let workerTokenFile = Setting(
        "worker-token-file", .path,
        "File whose first line is the token that the gateway shows its workers.")
    static let workerAllow = Setting(
        "worker-allow", .addressRule, isList: true,
        unset: "this machine, and anywhere with --worker-authority or --worker-token-file",
        """
        Where workers may be that are added at run time: a network (10.1.0.0/16), an address, a \
        name, or unix:/directory/.
        """)
    static let allowPlaintextWorkers = Setting(
        "allow-plaintext-workers", .toggle, default: .toggle(false),
        "Allow workers without TLS on addresses other than loopback.")

    static let ofGateway: [Setting] =
        [
            host, port, tlsPort, tlsCertificate, tlsKey, tlsSelfSigned, adminHost, adminPort,
            adminTokenFile, apiKeyFile, requireKey, licenseKeyFile, accessLog, otlpEndpoint,
            otlpSampleRatio,
            otlpServiceName, loops, tokenizerThreads, queueLimit, queueWait,
            noWorkerWait, ageingSeconds, defaultTierShare, limitBurstSeconds,
            overloadWaitSeconds, overloadIntervalSeconds, retryLimit, resumeLimit, decisionLimit,
            breakerFailures,
            breakerWindowSeconds, breakerOpenSeconds, retryBudgetPercent, workerSlotsDefault,
            workerHangSeconds, workerCheckSeconds, bodyLimit,
            keepaliveInterval, stalledReaderSeconds, timeLimit, sloTTFT, sloITL,
            resumeWindowSeconds, resumableStreams, resumableStreamBytes, drainSeconds, dataDir,
            logLevel,
        ] + ofStorage + ofMetering
    /// What `models` and `pools` of a file replace.
    static let ofOneModel: [Setting] = [model, modelName, modelAlias, embeddings, policy]
    static let ofOneServedPool: [Setting] =
        [workers, devices, slots, threads, context, itlTarget.optional, engine, workerArgument]
    static let ofOneRemotePool: [Setting] = [
        worker, upstream, upstreamModel, upstreamSlots, workerDNS, workerDNSSeconds,
        workerAuthority, workerCertificate, workerKey,
        workerServerName, workerTokenFile, workerAllow, allowPlaintextWorkers,
    ]
}

/// The programs that read settings.
package enum SettingsCommand: String, Hashable, Sendable, CaseIterable {
    case serve, gateway, worker

    /// All settings, in the order of the help.
    package var settings: [Setting] {
        switch self {
        case .serve: [.config] + oneModel + Setting.ofGateway
        case .gateway: [.config] + oneModel + Setting.ofGateway
        case .worker: Setting.ofWorker
        }
    }

    /// Settings that a file with `models` cannot stand beside.
    var oneModel: [Setting] {
        switch self {
        case .serve: Setting.ofOneModel + Setting.ofOneServedPool
        case .gateway: Setting.ofOneModel + Setting.ofOneRemotePool
        case .worker: []
        }
    }
}
