package import HTTPTransport
package import Routing

/// Workers that serve one model, and where they come from. Several sources may be given at once;
/// further workers can register at run time through the admin API.
package struct PoolSettings: Hashable, Sendable {
    /// What its workers speak.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// `vllm.grpc.engine.VllmEngine`, token ids: ours, vLLM's, SGLang's.
        case engine
        /// OpenAI's chat completions over HTTP, text: vLLM, SGLang, llama-server, any.
        case openAI = "openai"
    }

    package var name: String
    /// `ModelSettings.name`; a model has one pool.
    package var model: String
    package var kind = Kind.engine
    /// Processes that the gateway starts and keeps running; nil for none.
    package var supervised: SupervisedWorkers?
    /// Workers that run on their own, by address.
    package var workers: [WorkerSettings] = []
    /// Names whose addresses are workers, looked up again and again.
    package var dns: [DNSSettings] = []
    package var policy = RoutingPolicy.cost
    /// Requests that may wait inside a worker besides those in its slots.
    package var aheadLimitTickets: Int = 2
    /// Of links to workers on TCP; unix sockets have none. Of a pool of kind `openAI`: for
    /// `https` addresses `authorityPath` (nil: what the system trusts) and `serverName`, and
    /// `tokenPath` has the key that its workers ask for.
    package var link = LinkSettings()
    /// Where workers may be that register at run time. Empty: on this machine, and with TLS or a
    /// token anywhere.
    package var registration: [WorkerAddressRule] = []
    /// Of a pool of kind `openAI`.
    package var upstream = UpstreamSettings()

    package init(name: String, model: String) {
        self.name = name
        self.model = model
    }
}

package struct SupervisedWorkers: Hashable, Sendable {
    package var commandLine: WorkerCommandLine
    package var count: Int
    /// Of each of them; see `WorkerSettings.weight`.
    package var weight: Double = 1

    package init(commandLine: WorkerCommandLine, count: Int) {
        self.commandLine = commandLine
        self.count = count
    }
}

package struct WorkerSettings: Hashable, Sendable {
    package var endpoint: HTTPEndpoint
    /// How much of the pool's work it takes, in proportion to the others: its predicted costs are
    /// divided by it. Above 0.
    package var weight: Double = 1
    /// Of a pool of kind `openAI`: the whole address. Nil: as the pool's first one that has any, or
    /// else plain HTTP without a path.
    package var upstream: UpstreamAddress?

    package init(_ endpoint: HTTPEndpoint) {
        self.endpoint = endpoint
    }

    package init(_ upstream: UpstreamAddress) {
        endpoint = upstream.endpoint
        self.upstream = upstream
    }
}

/// How the workers of a pool of kind `openAI` are spoken to.
package struct UpstreamSettings: Hashable, Sendable {
    /// What they call the model. Nil: our name of it if they list that, else the first that they
    /// list (`GET /v1/models`).
    package var model: String?
    /// Requests that one of them may have at once. Nil: what it says (llama-server's `/props`), or
    /// else `defaultSlots`.
    package var slots: Int?
    /// A stream that sends nothing for this long is given up, as lost.
    package var silenceSeconds: Int = 300
    /// Largest whole answer, and largest event of a stream; more is a failure of the worker.
    package var answerBytesLimit: Int = 64 << 20

    /// vLLM's default of `--max-num-seqs`.
    package static let defaultSlots = 256

    package init() {}
}

/// A name with one address for each worker, such as a headless Kubernetes service.
package struct DNSSettings: Hashable, Sendable {
    package var name: String
    package var port: Int
    package var refreshSeconds: Int = 5

    package init(name: String, port: Int) {
        self.name = name
        self.port = port
    }
}

/// How links to a pool's workers on TCP are secured. The files are read again by a reload.
package struct LinkSettings: Hashable, Sendable {
    /// PEM certificates that a worker's must chain to; nil: no TLS.
    package var authorityPath: String?
    /// What the gateway shows of itself (mutual TLS); both or none.
    package var certificatePath: String?
    package var keyPath: String?
    /// The name that a worker's certificate must have; nil: its address's.
    package var serverName: String?
    /// A file whose first line is the bearer token of the pool's workers.
    package var tokenPath: String?
    /// Lets TCP links off this machine go without TLS.
    package var allowsPlaintext = false

    package init() {}
}
