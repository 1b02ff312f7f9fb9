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

    @Option(help: "http://host:port of the server.")
    var url = "http://127.0.0.1:8080"

    @Option(help: "chat: streamed chat completions; small: GET requests.")
    var mode = Mode.chat

    @Option(help: "Path of the requests. Default: /v1/chat/completions, or /v1/models.")
    var path: String?

    @Option(name: .customLong("protocol"), help: "h1, or h2 (prior knowledge).")
    var version = LoadConfiguration.HTTPVersion.h2

    @Option(help: "HTTP/2 connections, used in turn.")
    var connections = 1

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
        let report: LoadReport
        do {
            report = try await measuring.perform(try loadConfiguration())
        } catch let error as HTTPStreamError {
            FileHandle.standardError.write(
                Data("switchyard-load: cannot reach \(url): \(error)\n".utf8))
            throw ExitCode(69)
        }
        print(json ? try report.json() : report.table)
        if report.succeeded + report.cutOff == 0 { throw ExitCode.failure }
    }

    func loadConfiguration() throws -> LoadConfiguration {
        guard let target = LoadTarget(url: url) else {
            throw ValidationError("--url \(url): expected http://host:port")
        }
        let work: LoadConfiguration.Work =
            switch mode {
            case .small: .small
            case .chat: .chat(chat.body, try chat.prompts(seed: load.seed))
            }
        let defaultPath = mode == .chat ? "/v1/chat/completions" : "/v1/models"
        var configuration = LoadConfiguration(
            target: target, path: path ?? defaultPath, work: work, load: load.shape,
            extent: load.extent)
        configuration.version = version
        configuration.connections = connections
        configuration.warmUpRequests = load.warmup
        configuration.requestTimeoutSeconds = load.timeoutSeconds
        configuration.seed = load.seed
        configuration.probe = chat.probe
        configuration.fields = try headers.map(Self.field)
        configuration.processes = try processes.map(Self.process)
        return configuration
    }

    func validate() throws {
        guard (1...1_000).contains(connections) else {
            throw ValidationError("--connections must be 1...1000: \(connections)")
        }
    }

    private static func field(_ text: String) throws -> HTTPField {
        guard let colon = text.firstIndex(of: ":") else {
            throw ValidationError("--header \(text): expected name:value")
        }
        let value = text[text.index(after: colon)...].drop { $0 == " " }
        return HTTPField(text[..<colon].lowercased(), String(value))
    }

    private static func process(_ text: String) throws -> LoadConfiguration.WatchedProcess {
        let parts = text.split(separator: "=")
        guard let last = parts.last, let pid = Int32(last), parts.count <= 2 else {
            throw ValidationError("--pid \(text): expected pid or name=pid")
        }
        return .init(name: parts.count == 2 ? String(parts[0]) : "server", pid: pid)
    }
}

extension LoadConfiguration.HTTPVersion: ExpressibleByArgument {}
