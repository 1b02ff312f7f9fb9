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
    /// Of links to workers on TCP; unix sockets have none.
    package var link = LinkSettings()
    /// Where workers may be that register at run time. Empty: on this machine, and with TLS or a
    /// token anywhere.
    package var registration: [WorkerAddressRule] = []

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

    package init(_ endpoint: HTTPEndpoint) {
        self.endpoint = endpoint
    }
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
