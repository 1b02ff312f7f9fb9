import ArgumentParser
import Gateway
import HTTPTransport

/// Where the workers of `switchyard gateway` are, and how links to them are secured.
struct WorkerLinkOptions: ParsableArguments {
    @Option(help: "A worker: unix:/path or host:port; may be given several times.")
    var worker: [WorkerAddress] = []

    @Option(
        help: """
            An OpenAI-compatible server instead of workers, with --model-name instead of --model: \
            http://host:port, https://host or h2c://host:port; may be given several times.
            """)
    var upstream: [UpstreamURL] = []

    @Option(help: "What upstreams call the model. Default: as we do, or the first they list.")
    var upstreamModel: String?

    @Option(help: "Requests that an upstream may have at once. Default: what it says, or 256.")
    var upstreamSlots: Int?

    @Option(help: "A name and port whose addresses are workers, looked up again and again.")
    var workerDns: [DNSAddress] = []

    @Option(help: "How often --worker-dns is looked up, in seconds.")
    var workerDnsSeconds = 5

    @Option(help: "Links to workers on TCP use TLS; theirs must chain to one of these, PEM.")
    var workerAuthority: String?

    @Option(help: "The certificate that the gateway shows its workers, PEM.")
    var workerCertificate: String?

    @Option(help: "Its private key, PEM.")
    var workerKey: String?

    @Option(help: "The name that workers' certificates must have. Default: their address's.")
    var workerServerName: String?

    @Option(help: "File whose first line is the token that the gateway shows its workers.")
    var workerTokenFile: String?

    @Option(
        help: """
            Where workers may be that are added at run time: a network (10.1.0.0/16), an address, \
            a name, or unix:/directory/; may be given several times. Default: this machine, and \
            anywhere with --worker-authority or --worker-token-file.
            """)
    var workerAllow: [AllowedAddress] = []

    @Flag(help: "Allow workers without TLS on addresses other than loopback.")
    var allowPlaintextWorkers = false

    func validate() throws {
        guard (1...3_600).contains(workerDnsSeconds) else {
            throw ValidationError("--worker-dns-seconds must be 1...3600")
        }
        guard upstreamSlots.map({ (1...65_536).contains($0) }) ?? true else {
            throw ValidationError("--upstream-slots must be 1...65536")
        }
        guard upstream.isEmpty || worker.isEmpty else {
            throw ValidationError("--upstream excludes --worker")
        }
        guard !worker.isEmpty || !workerDns.isEmpty || !upstream.isEmpty else {
            throw ValidationError("give at least one --worker, --worker-dns or --upstream")
        }
        var pool = PoolSettings(name: "", model: "")
        apply(to: &pool)
        if let fault = pool.link.fault { throw ValidationError(fault) }
        for worker in pool.workers {
            if let refusal = pool.linkRefusal(worker.endpoint) { throw ValidationError(refusal) }
        }
    }

    func apply(to pool: inout PoolSettings) {
        pool.kind = upstream.isEmpty ? .engine : .openAI
        pool.workers =
            worker.map { WorkerSettings($0.endpoint) }
            + upstream.map { WorkerSettings($0.address) }
        pool.upstream.model = upstreamModel
        pool.upstream.slots = upstreamSlots
        pool.dns = workerDns.map { address in
            var settings = DNSSettings(name: address.name, port: address.port)
            settings.refreshSeconds = workerDnsSeconds
            return settings
        }
        pool.registration = workerAllow.map(\.rule)
        pool.link.authorityPath = workerAuthority
        pool.link.certificatePath = workerCertificate
        pool.link.keyPath = workerKey
        pool.link.serverName = workerServerName
        pool.link.tokenPath = workerTokenFile
        pool.link.allowsPlaintext = allowPlaintextWorkers
    }
}

/// `unix:/path` or `host:port`.
struct WorkerAddress: ExpressibleByArgument {
    let endpoint: HTTPEndpoint

    init?(argument: String) {
        guard let endpoint = HTTPEndpoint(text: argument) else { return nil }
        self.endpoint = endpoint
    }
}

/// `name:port`.
struct DNSAddress: ExpressibleByArgument {
    let name: String
    let port: Int

    init?(argument: String) {
        guard case .tcp(let name, let port)? = HTTPEndpoint(text: argument) else { return nil }
        self.name = name
        self.port = port
    }
}

struct AllowedAddress: ExpressibleByArgument {
    let rule: WorkerAddressRule

    init?(argument: String) {
        guard let rule = WorkerAddressRule(argument) else { return nil }
        self.rule = rule
    }
}

/// `http://host:port`, `https://host`, `h2c://host:port`.
struct UpstreamURL: ExpressibleByArgument {
    let address: UpstreamAddress

    init?(argument: String) {
        guard let address = UpstreamAddress(text: argument) else { return nil }
        self.address = address
    }
}
