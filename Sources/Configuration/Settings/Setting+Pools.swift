internal import Gateway
internal import Routing

/// Keys of a file's `models` and `pools`; they have no flags.
extension Setting {
    static let name = Setting("name", .text, "What clients call the model.")
    static let aliases = Setting("aliases", .text, isList: true, "Other names for it.")
    static let path = Setting(
        "path", .path,
        "A GGUF file, of which the gateway reads only vocabulary and chat template.")
    static let template = Setting(
        "template", .path, unset: "the model's own", "A Jinja file used as chat template.")
    static let ofModels: [Setting] = [name, aliases, path, template, embeddings]

    static let poolName = Setting("name", .label, "What operators call the pool.")
    static let poolModel = Setting(
        "model", .text, "The name of its model. A model has exactly one pool.")
    static let kind = Setting(
        "kind", .word(PoolSettings.Kind.allCases.map(\.rawValue)),
        default: .text(PoolSettings.Kind.engine.rawValue),
        "What its workers speak: token ids (vllm.grpc.engine), or OpenAI's API.")
    static let policy = Setting(
        "policy", .word(RoutingPolicy.allCases.map(\.rawValue)),
        default: .text(RoutingPolicy.cost.rawValue), "How a worker is chosen.")
    static let aheadLimit = Setting(
        "ahead-limit", .integer(0...65_536), default: .integer(2),
        "Requests that may wait inside a worker besides those in its slots.")
    static let allow = Setting(
        "allow", .addressRule, isList: true,
        unset: "this machine, and anywhere with TLS or a token",
        "Where workers may be that register at run time.")
    static let ofPools: [Setting] = [poolName, poolModel, kind, policy, aheadLimit, allow]

    static let weight = Setting(
        "weight", .number(0.001...1_000), default: .number(1),
        "How much of the pool's work a worker takes, in proportion to the others.")
    static let arguments = Setting(
        "arguments", .text, isList: true, "Further arguments for `switchyard worker`.")
    static let ofSupervised: [Setting] =
        [workers, weight, engine, devices] + ofPoolProcesses + [arguments]

    static let address = Setting("address", .workerAddress, "Where the worker is.")
    static let ofWorkers: [Setting] = [address, weight]

    static let callsModel = Setting(
        "model", .text, unset: "as we do, or the first they list",
        "Of kind openai: what its workers call the model.")
    static let ofUpstreams: [Setting] = [callsModel, upstreamRequests, silenceSeconds, answerLimit]
    static let upstreamRequests = Setting(
        "slots", .integer(1...65_536), unset: "what it says, or 256",
        "Requests that one worker may have at once.")
    static let silenceSeconds = Setting(
        "silence-seconds", .integer(1...86_400), default: .integer(300),
        "A stream that sends nothing for this long is given up, as lost.")
    static let answerLimit = Setting(
        "answer-limit", .integer(1_024...(1 << 32)), default: .integer(64 << 20),
        "Largest whole answer, and largest event of a stream, in bytes.")

    static let dnsName = Setting("name", .text, "A name with one address for each worker.")
    static let dnsPort = Setting("port", .integer(1...65_535), "Their port.")
    static let refreshSeconds = Setting(
        "refresh-seconds", .integer(1...86_400), default: .integer(5),
        "How often the name is looked up.")
    static let ofDNS: [Setting] = [dnsName, dnsPort, refreshSeconds]

    static let authority = Setting(
        "authority", .path, unset: "no TLS", "PEM certificates that a worker's must chain to.")
    static let certificate = Setting(
        "certificate", .path, "PEM certificate that the gateway shows; with `key`.")
    static let key = Setting("key", .path, "PEM key of `certificate`.")
    static let serverName = Setting(
        "server-name", .text, unset: "its address's", "The name that a worker's certificate has.")
    static let tokenFile = Setting(
        "token-file", .path, "File whose first line is the bearer token of the pool's workers.")
    static let allowPlaintextLinks = Setting(
        "allow-plaintext", .toggle, default: .toggle(false),
        "Let links to other machines go without TLS.")
    static let ofLink: [Setting] = [
        authority, certificate, key, serverName, tokenFile, allowPlaintextLinks,
    ]
}
