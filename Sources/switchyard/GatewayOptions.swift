import Admission
import ArgumentParser
import Foundation
import Gateway
import HTTPTransport
import Logging
import Routing

/// The flags that `serve` and `gateway` share.
struct GatewayOptions: ParsableArguments {
    @Option(help: "Address for clients. Others than loopback need --api-key-file.")
    var host = "127.0.0.1"

    @Option(help: "Port for clients without TLS: HTTP/2 by prior knowledge and HTTP/1.1.")
    var port = 8080

    @Option(help: "Port for clients with TLS: HTTP/2 and HTTP/1.1 by ALPN.")
    var tlsPort: Int?

    @Option(help: "Certificate chain, PEM.")
    var tlsCertificate: String?

    @Option(help: "Private key, PEM.")
    var tlsKey: String?

    @Flag(help: "Make a certificate for localhost in the data directory (development only).")
    var tlsSelfSigned = false

    @Option(help: "Address for probes and metrics.")
    var adminHost = "127.0.0.1"

    @Option(help: "Port for /livez, /readyz, /healthz and /metrics.")
    var adminPort = 8081

    @Option(
        help: """
            File with one token a line for /admin; without it only a loopback --admin-host has \
            /admin.
            """)
    var adminTokenFile: String?

    @Option(help: "The model (GGUF); the gateway reads only its vocabulary and chat template.")
    var model: String?

    @Option(help: "What clients call the model. Default: its file's name without .gguf.")
    var modelName: String?

    @Option(help: "Another name for the model; may be given several times.")
    var modelAlias: [String] = []

    @Option(help: "File with one API key a line; without it everybody may use a loopback address.")
    var apiKeyFile: String?

    @Option(help: "File to which each ended request adds a line of JSON; - for standard output.")
    var accessLog: String?

    @Option(help: "Event loops that serve clients.")
    var loops = 1

    @Option(help: "Threads that apply templates and tokenize.")
    var tokenizerThreads = 1

    @Option(help: "Requests that may wait for a slot; more are refused with 503.")
    var queueLimit = 1_024

    @Option(help: "Longest wait for a slot, in seconds; then 503.")
    var queueWait = 600

    @Option(help: "Longest wait while no worker is ready, in seconds; then 503.")
    var noWorkerWait = 15

    @Option(
        help: "Workers that a request may lose in a row without a token from any; then it fails.")
    var retryLimit = 3

    @Option(help: "Times that a stream goes on with another worker when it lost its own.")
    var resumeLimit = 64

    @Option(
        help: """
            How a worker is chosen: \
            \(RoutingPolicy.allCases.map(\.rawValue).joined(separator: ", ")).
            """)
    var policy = RoutingPolicy.cost

    @Option(help: "Routing decisions that are kept for `switchyard why`; 0: none.")
    var decisionLimit = 4_096

    @Option(help: "Silence, also to PINGs, after which a worker counts as lost, in seconds.")
    var workerHangSeconds = 5.0

    @Option(help: "How often a worker is asked for its health, in seconds.")
    var workerCheckSeconds = 2.0

    @Option(help: "Failures of a worker's calls within the window that open its breaker.")
    var breakerFailures = 5

    @Option(help: "Window in which a worker's failures are counted, in seconds.")
    var breakerWindowSeconds = 30.0

    @Option(help: "How long an open breaker keeps requests from its worker, in seconds.")
    var breakerOpenSeconds = 10.0

    @Option(help: "Second tries of failed calls, in percent of the requests; 0 for none.")
    var retryBudgetPercent = 20

    @Option(help: "Requests at once of a worker that does not say how many it takes.")
    var workerSlotsDefault = 256

    @Option(help: "Largest request body, in bytes; more is 413.")
    var bodyLimit = 20 << 20

    @Option(help: "Silence after which a stream gets a comment, in milliseconds; 0 for never.")
    var keepaliveInterval = 5_000

    @Option(help: "Longest run of one request, in seconds; then it ends with `length`.")
    var timeLimit = 3_600

    @Option(help: "After SIGTERM, how long streams may go on, in seconds.")
    var drainSeconds = 30

    @Option(help: "Directory for sockets and other state; made with mode 0700.")
    var dataDir: String?

    @Option(help: "Least severe log level shown: debug, info, notice, warning, error.")
    var logLevel = "info"

    func validate() throws {
        func positive(_ name: String, _ value: Int) throws {
            guard value > 0 else { throw ValidationError("--\(name) must be above 0: \(value)") }
        }
        try positive("loops", loops)
        try positive("tokenizer-threads", tokenizerThreads)
        try positive("queue-limit", queueLimit)
        try positive("queue-wait", queueWait)
        try positive("no-worker-wait", noWorkerWait)
        try positive("worker-slots-default", workerSlotsDefault)
        try positive("body-limit", bodyLimit)
        try positive("time-limit", timeLimit)
        for (name, value) in [
            ("retry-limit", retryLimit), ("resume-limit", resumeLimit),
            ("decision-limit", decisionLimit),
        ] {
            guard value >= 0 else { throw ValidationError("--\(name) must not be negative") }
        }
        for (name, value) in [
            ("worker-hang-seconds", workerHangSeconds),
            ("worker-check-seconds", workerCheckSeconds),
            ("breaker-window-seconds", breakerWindowSeconds),
            ("breaker-open-seconds", breakerOpenSeconds),
        ] {
            guard (0.1...3_600).contains(value) else {
                throw ValidationError("--\(name) must be 0.1...3600")
            }
        }
        guard (1...1_024).contains(breakerFailures) else {
            throw ValidationError("--breaker-failures must be 1...1024")
        }
        guard (0...1_000).contains(retryBudgetPercent) else {
            throw ValidationError("--retry-budget-percent must be 0...1000")
        }
        guard keepaliveInterval >= 0 else {
            throw ValidationError("--keepalive-interval must not be negative")
        }
        guard drainSeconds >= 0 else {
            throw ValidationError("--drain-seconds must not be negative")
        }
        for (name, port) in [("port", port), ("admin-port", adminPort), ("tls-port", tlsPort ?? 0)]
        {
            guard (0...65_535).contains(port) else {
                throw ValidationError("--\(name) must be 0...65535: \(port)")
            }
        }
        let hasFiles = tlsCertificate != nil || tlsKey != nil
        guard (tlsCertificate == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-certificate and --tls-key go together")
        }
        guard !(hasFiles && tlsSelfSigned) else {
            throw ValidationError("--tls-self-signed excludes --tls-certificate")
        }
        if tlsPort != nil, !hasFiles, !tlsSelfSigned {
            throw ValidationError(
                "--tls-port needs --tls-certificate and --tls-key, or --tls-self-signed")
        }
        guard LogLevel.known.contains(logLevel) else {
            throw ValidationError("--log-level is one of \(LogLevel.known.joined(separator: ", "))")
        }
        guard apiKeyFile != nil || Loopback.contains(host) else {
            throw ValidationError(
                "--host \(host) can be reached from other machines: give --api-key-file as well")
        }
    }
}

extension RoutingPolicy: ExpressibleByArgument {}

enum LogLevel {
    static let known = ["debug", "info", "notice", "warning", "error"]
}

enum Loopback {
    static func contains(_ host: String) -> Bool {
        // An address in brackets reads as one without.
        HTTPEndpoint(text: "\(host):1")?.isLocal ?? false
    }
}

extension GatewayOptions {
    func logger() -> Logger {
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "switchyard")
        logger.logLevel = Logger.Level(rawValue: logLevel) ?? .info
        return logger
    }

    func gatewayConfiguration(
        dataDirectory: DataDirectory
    ) throws -> GatewayConfiguration {
        var served = model.map { ModelSettings(path: $0) } ?? ModelSettings(name: "", path: nil)
        if let modelName { served.name = modelName }
        served.aliases = modelAlias
        var pool = PoolSettings(name: "default", model: served.name)
        pool.policy = policy
        var configuration = GatewayConfiguration(models: [served], pools: [pool])
        configuration.host = host
        configuration.port = port
        configuration.adminHost = adminHost
        configuration.adminPort = adminPort
        configuration.connectionLoops = loops
        configuration.adminIsLoopback = Loopback.contains(adminHost)
        configuration.adminTokenFile = adminTokenFile
        configuration.preparationThreads = tokenizerThreads
        configuration.apiKeyFile = apiKeyFile
        configuration.accessLogPath = accessLog
        configuration.admission = AdmissionConfiguration(
            queueLimitTickets: queueLimit,
            waitLimitNanoseconds: Int64(queueWait) * 1_000_000_000,
            noWorkerWaitLimitNanoseconds: Int64(noWorkerWait) * 1_000_000_000)
        configuration.decisionLimit = decisionLimit
        configuration.limits.retryLimit = retryLimit
        configuration.limits.resumeLimit = resumeLimit
        configuration.workerHangNanoseconds = Int64(workerHangSeconds * 1e9)
        configuration.healthIntervalNanoseconds = Int64(workerCheckSeconds * 1e9)
        configuration.breaker = BreakerConfiguration(
            failureLimit: breakerFailures,
            windowNanoseconds: Int64(breakerWindowSeconds * 1e9),
            openNanoseconds: Int64(breakerOpenSeconds * 1e9))
        configuration.retryBudgetPercent = retryBudgetPercent
        configuration.workerSlotsDefault = workerSlotsDefault
        configuration.limits.bodyLimitBytes = bodyLimit
        configuration.limits.keepaliveIntervalMilliseconds = keepaliveInterval
        configuration.limits.timeLimitSeconds = timeLimit
        configuration.drainSeconds = drainSeconds
        if let tlsPort {
            configuration.tls = .init(port: tlsPort, files: try tlsFiles(dataDirectory))
        }
        return configuration
    }

    private func tlsFiles(_ dataDirectory: DataDirectory) throws -> TLSFiles {
        guard let tlsCertificate, let tlsKey else {
            return try SelfSignedCertificate.files(in: "\(dataDirectory.path)/tls")
        }
        return TLSFiles(certificateChainPath: tlsCertificate, privateKeyPath: tlsKey)
    }
}
