package import Admission
internal import EngineProtocol
package import HTTPTransport
internal import NIOCore
package import Routing
package import Storage

/// Everything the gateway is told. Immutable; composed by the program from flags and environment.
package struct GatewayConfiguration: Sendable {
    /// Where clients come in without TLS (h2c with prior knowledge, HTTP/1.1).
    package var host: String = "127.0.0.1"
    /// 0 lets the system choose.
    package var port: Int = 8080
    /// Where clients come in with TLS (ALPN h2, http/1.1); nil for none.
    package var tls: TLSListener?
    /// Probes and metrics, on their own thread; always on `adminHost`.
    package var adminHost: String = "127.0.0.1"
    package var adminPort: Int = 8081
    /// Only this machine reaches the admin port.
    package var adminIsLoopback = true
    /// Tokens for what changes something on the admin port; without it only this machine may.
    package var adminTokenFile: String?
    /// Event loops that serve clients. 1 beside an engine on a small machine.
    package var connectionLoops: Int = 1
    /// Threads that decode, template and tokenize.
    package var preparationThreads: Int = 1
    /// At least one; names are unique over models, aliases and splits.
    package var models: [ModelSettings]
    /// At least one; each model has one.
    package var pools: [PoolSettings]
    /// Names that stand for several models.
    package var splits: [ModelSplit] = []
    package var apiKeyFile: String?
    /// Requests need a key, also where there is none yet.
    package var asksForKeys = false
    /// Public keys of those whose licences may be imported.
    package var licenseKeyFile: String?
    /// Where the access log goes; `-` is standard output, nil nowhere.
    package var accessLogPath: String?
    /// Where spans of requests go; nil nowhere.
    package var tracing: TracingSettings?
    /// A worker that sends nothing for this long, not even an answer to a PING, is lost: its
    /// requests go on elsewhere.
    package var workerHangNanoseconds: Int64 = 5_000_000_000
    /// How often each link asks its worker for its health.
    package var healthIntervalNanoseconds: Int64 = 2_000_000_000
    /// When a worker that fails requests gets none for a while.
    package var breaker = BreakerConfiguration()
    /// Second tries of failed calls, in percent of the requests of the last ten seconds, besides
    /// two a second. What goes on elsewhere because its worker is gone is counted but not refused.
    package var retryBudgetPercent: Int = 20
    /// Requests that a worker takes at once when it does not say (`max_num_seqs` is 0); vLLM's own
    /// default.
    package var workerSlotsDefault: Int = 256
    package var admission = AdmissionConfiguration()
    /// Routing decisions that each pool keeps for `switchyard why`; 0: none.
    package var decisionLimit: Int = 4_096
    package var limits = ChatLimits()
    package var transport = HTTPLimits()
    /// After SIGTERM: how long streams may go on before they are ended with an error.
    package var drainSeconds: Int = 30

    /// Where what outlives the process is kept; nil: nothing is. Read at the start only, as the
    /// limits of `storage`.
    package var stateDirectory: String?
    package var storage = StorageLimits()
    package var storageSynchronous = SQLiteStorage.Synchronous.normal
    /// Where there is a `stateDirectory`. Of a reload only the prices count.
    package var metering = MeteringSettings()
    /// Deferred requests that run or wait for a worker at once; others wait in the storage.
    package var jobConcurrency: Int = 64
    /// The same of requests of batches.
    package var batchConcurrency: Int = 64

    package struct TLSListener: Sendable {
        package var port: Int
        package var files: TLSFiles

        package init(port: Int, files: TLSFiles) {
            self.port = port
            self.files = files
        }
    }

    package init(models: [ModelSettings], pools: [PoolSettings]) {
        self.models = models
        self.pools = pools
    }

    /// How links behave: a quarter of the hang limit passes before a silent worker gets a PING.
    var links: EngineConnectionConfiguration {
        var links = EngineConnectionConfiguration()
        let hang = workerHangNanoseconds
        links.transport.keepaliveInterval = .nanoseconds(hang / 4)
        links.transport.keepaliveTimeout = .nanoseconds(hang - hang / 4)
        links.transport.connectTimeout = .nanoseconds(hang)
        links.controlTimeoutNanoseconds = hang
        return links
    }
}

/// Limits of one chat request; each has a defined refusal.
package struct ChatLimits: Hashable, Sendable {
    /// Largest request body or gRPC message after decompression; more is 413, over gRPC
    /// RESOURCE_EXHAUSTED.
    package var bodyLimitBytes: Int = 20 << 20
    /// Requests that are being decoded and tokenized at once, per connection loop; more is 503.
    package var preparationLimit: Int = 8_192
    /// Most choices a request may ask for; more is 400.
    package var choicesLimit: Int = 128
    /// A stream that has sent nothing for this long sends a comment. 0 switches comments off.
    package var keepaliveIntervalMilliseconds: Int = 5_000
    /// A request that runs longer ends with finish reason `length`.
    package var timeLimitSeconds: Int = 3_600
    /// Workers that a choice may lose in a row without a token from any of them; then it fails.
    package var retryLimit: Int = 3
    /// How often a choice whose worker was lost after its first token goes on with another one;
    /// then it fails. 0: never.
    package var resumeLimit: Int = 64
    /// How long a stream that goes on without its client waits for it; then it is cancelled. Its
    /// events can be read for as long after the last one.
    package var resumeWindowSeconds: Int = 60
    /// Streams at once that go on without their client; more is 503.
    package var resumableStreamsLimit: Int = 1_024
    /// Events that are kept of each, in bytes; generation waits while nobody has read as many.
    package var resumableStreamBytes: Int = 1 << 20

    /// A request whose first token comes later has missed its service level.
    package var sloTTFTMilliseconds: Int = 500
    /// The same of the mean time between its tokens.
    package var sloITLMilliseconds: Int = 50

    package init() {}

    var serviceLevels: ServiceLevelTargets {
        ServiceLevelTargets(
            timeToFirstTokenNanoseconds: Int64(sloTTFTMilliseconds) * 1_000_000,
            perTokenNanoseconds: Int64(sloITLMilliseconds) * 1_000_000)
    }
}
