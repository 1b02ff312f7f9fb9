import ArgumentParser
import Foundation
import HTTPTransport
import LoadGenerator

/// `switchyard-load run`, or `switchyard-load` alone: drives a server and reports what its clients
/// saw.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Drive a server and report what its clients saw.",
        discussion: """
            Closed loop (--concurrency) keeps so many requests running. Open loop (--rate) sends \
            by schedule whether or not answers come, and counts latencies from the intended start. \
            TTFT is the time to the first content delta; ITL the gaps between deltas; TPOT \
            (end to end - TTFT) / (tokens - 1).
            """)

    enum Mode: String, ExpressibleByArgument, CaseIterable { case chat, small }

    @Option(help: "A run as YAML (see loadtest/README.md); options take the place of what it says.")
    var scenario: String?

    @Option(
        name: .customLong("url"),
        help: "http(s)://host:port of the server. Repeatable. Default: http://127.0.0.1:8080.")
    var urls: [String] = []

    @Option(help: "chat: streamed chat completions; small: GET requests.")
    var mode = Mode.chat

    @Option(help: "Path of the requests. Default: /v1/chat/completions, or /v1/models.")
    var path: String?

    @Option(
        name: .customLong("protocol"),
        help: "h1, h2 (prior knowledge, or ALPN with https) or grpc (xAI's). Default: h2.")
    var version: LoadConfiguration.HTTPVersion?

    @Option(help: "HTTP/2 connections, used in turn. Default: 1.")
    var connections: Int?

    @Option(name: .customLong("cacert"), help: "Trust these PEM certificates alone.")
    var authority: String?

    @Flag(help: "Take any certificate.")
    var insecure = false

    @OptionGroup(title: "Load")
    var load: LoadOptions

    @OptionGroup(title: "Chat requests")
    var chat: ChatOptions

    @OptionGroup(title: "Measuring")
    var measuring: MeasuringOptions

    @Option(name: .customLong("header"), help: "name:value, on every request. Repeatable.")
    var headers: [String] = []

    @Option(name: .customLong("pid"), help: "[name=]pid: report its CPU time. Repeatable.")
    var processes: [String] = []

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        let report = try await measuring.perform(try loadConfiguration())
        print(json ? try report.json() : report.table)
        if report.succeeded + report.cutOff == 0 { throw ExitCode.failure }
    }

    /// What is run. Throws where something that was asked for has no bearing on it.
    func loadConfiguration() throws -> LoadConfiguration {
        var configuration = try base
        if case .small = mode { configuration.work = .small }
        if configuration.path == LoadConfiguration.chatPath, case .small = mode {
            configuration.path = "/v1/models"
        }
        if let path { configuration.path = path }
        if let version { configuration.version = version }
        if let connections { configuration.connections = connections }
        if let authority { configuration.trust = .authority(path: authority) }
        if insecure { configuration.trust = .anybody }
        try load.apply(to: &configuration)
        try chat.apply(to: &configuration)
        configuration.fields += try headers.map(Self.field)
        configuration.processes = try processes.map(Self.process)
        try check(configuration)
        return configuration
    }

    /// No option is ignored.
    private func check(_ configuration: LoadConfiguration) throws {
        func refuse(_ isRefused: Bool, _ words: String) throws {
            if isRefused { throw ValidationError(words) }
        }
        try refuse(
            connections != nil && configuration.version == .h1,
            "--connections is for HTTP/2: HTTP/1.1 has one for each request at once")
        try refuse(
            (authority != nil || insecure) && !configuration.targets.contains(where: \.isSecure),
            "--cacert and --insecure need an https:// server")
        try refuse(
            chat.hasLengths && configuration.replay != nil,
            "--max-tokens, --prompt-tokens and --prompts: a trace has its own lengths")
        if configuration.version == .grpc {
            try refuse(
                path != nil || configuration.path != LoadConfiguration.chatPath,
                "a path is not for gRPC, whose method is its path")
            for each in configuration.classes {
                try refuse(
                    each.ignoresEndOfSequence || !each.extraMembers.isEmpty,
                    "--ignore-eos and --member are not for gRPC")
                if let tier = each.tier {
                    try refuse(
                        !LoadConfiguration.grpcTiers.contains(tier), "tier \(tier) is not for gRPC")
                }
            }
        }
        guard case .small = mode else { return }
        try refuse(scenario != nil, "--mode small: a scenario is about chats")
        try refuse(configuration.version == .grpc, "--mode small is not for gRPC")
        try refuse(chat.isGiven, "--mode small has no options of chat requests")
        try refuse(load.trace != nil, "--mode small: a trace is about chats")
        var latencies = measuring.objective(over: configuration.objective)
        latencies.endToEnd = nil
        try refuse(!latencies.isEmpty, "--mode small has no tokens: --slo-e2e-ms alone")
    }

    /// What the options change: a scenario, or the defaults.
    private var base: LoadConfiguration {
        get throws {
            let defaults = ["http://127.0.0.1:8080"]
            let given = urls.isEmpty && scenario == nil ? defaults : urls
            let targets = try given.map { url in
                guard let target = LoadTarget(url: url) else {
                    throw ValidationError("--url \(url): expected http://host:port")
                }
                return target
            }
            guard let scenario else { return LoadConfiguration(targets: targets) }
            var configuration = try ScenarioInput.configuration(scenario)
            if !targets.isEmpty { configuration.targets = targets }
            return configuration
        }
    }

    func validate() throws {
        if let connections, !(1...1_000).contains(connections) {
            throw ValidationError("--connections must be 1...1000: \(connections)")
        }
        guard authority == nil || !insecure else {
            throw ValidationError("--cacert and --insecure exclude each other")
        }
    }

    private static func field(_ text: String) throws -> HTTPField {
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else {
            // Without the text, which may be a secret.
            throw ValidationError("--header: expected name:value")
        }
        let value = text[text.index(after: colon)...].drop { $0 == " " }
        return HTTPField(text[..<colon].lowercased(), String(value))
    }

    private static func process(_ text: String) throws -> LoadConfiguration.WatchedProcess {
        let parts = text.split(separator: "=")
        guard let last = parts.last, let pid = Int32(last), pid > 0, parts.count <= 2 else {
            throw ValidationError("--pid \(text): expected pid or name=pid")
        }
        return .init(name: parts.count == 2 ? String(parts[0]) : "server", pid: pid)
    }
}

extension LoadConfiguration.HTTPVersion: ExpressibleByArgument {}
