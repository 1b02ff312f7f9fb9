import ArgumentParser
import Foundation

/// `switchyard workers`: the pool of a running gateway, through its admin port.
struct WorkersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract: "List, add, drain and scale the workers of a running gateway.",
        subcommands: [
            List.self, Add.self, Drain.self, Undrain.self, Weight.self, Restart.self, Remove.self,
            Scale.self,
        ],
        defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show all workers.")
        @OptionGroup var client: AdminClient
        @Flag(help: "Print the gateway's own JSON.") var json = false

        func run() async throws {
            let answer = try await client.ask("GET", "/admin/v1/workers")
            if json {
                Output.line(
                    String(decoding: answer, as: UTF8.self).trimmingCharacters(in: .newlines))
            } else {
                for line in try WorkerTable(answer).lines { Output.line(line) }
            }
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a worker that runs on its own.")
        @OptionGroup var client: AdminClient
        @Argument(help: "host:port or unix:/path.") var endpoint: String
        @Option(help: "Its pool, where there are several.") var pool: String?
        @Option(help: "How much of the work it takes, in proportion to the others.")
        var weight = 1.0

        func run() async throws {
            struct Added: Decodable { var id: UInt32 }
            var body: [String: Any] = ["endpoint": endpoint, "weight": weight]
            body["pool"] = pool
            let answer = try await client.ask("POST", "/admin/v1/workers", body: body)
            Output.line("worker \(try JSONDecoder().decode(Added.self, from: answer).id)")
        }
    }

    struct Drain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a worker no new requests.",
            discussion: "What runs there may finish; at the deadline it goes on elsewhere.")
        @OptionGroup var client: AdminClient
        @Argument(help: "The worker's id.") var id: UInt32
        @Option(help: "The deadline. Default: the gateway's --drain-seconds.") var seconds: Int?

        func run() async throws {
            try await WorkersCommand.act(client, "drain", id, seconds)
        }
    }

    struct Undrain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a drained worker requests again.")
        @OptionGroup var client: AdminClient
        @Argument(help: "The worker's id.") var id: UInt32

        func run() async throws {
            try await WorkersCommand.act(client, "undrain", id, nil)
        }
    }

    struct Weight: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a worker more or less of the work than the others.")
        @OptionGroup var client: AdminClient
        @Argument(help: "The worker's id.") var id: UInt32
        @Argument(help: "In proportion to the others, who have 1.") var weight: Double

        func run() async throws {
            _ = try await client.ask(
                "POST", "/admin/v1/workers/\(id)/weight", body: ["weight": weight])
        }
    }

    struct Restart: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Drain a supervised worker and start its process anew.")
        @OptionGroup var client: AdminClient
        @Argument(help: "The worker's id.") var id: UInt32
        @Option(help: "The drain's deadline. Default: the gateway's --drain-seconds.")
        var seconds: Int?

        func run() async throws {
            try await WorkersCommand.act(client, "restart", id, seconds)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget a worker; what runs there goes on elsewhere.")
        @OptionGroup var client: AdminClient
        @Argument(help: "The worker's id.") var id: UInt32

        func run() async throws {
            _ = try await client.ask("DELETE", "/admin/v1/workers/\(id)")
        }
    }

    struct Scale: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change the number of supervised workers.",
            discussion: "Those that are too many are drained before they end.")
        @OptionGroup var client: AdminClient
        @Argument(help: "How many there shall be.") var workers: Int
        @Option(help: "The drain's deadline. Default: the gateway's --drain-seconds.")
        var seconds: Int?
        @Option(help: "The pool.") var pool = "default"

        func run() async throws {
            var body = ["workers": workers]
            body["seconds"] = seconds
            _ = try await client.ask(
                "POST", "/admin/v1/pools/\(AdminClient.encoded(pool))/scale", body: body)
        }
    }

    private static func act(
        _ client: AdminClient, _ verb: String, _ id: UInt32, _ seconds: Int?
    ) async throws {
        _ = try await client.ask(
            "POST", "/admin/v1/workers/\(id)/\(verb)",
            body: seconds.map { ["seconds": $0] } ?? [:])
    }
}

/// The list of workers for people.
struct WorkerTable {
    private struct Answer: Decodable {
        var workers: [Worker]
        var starting: [Process]
    }

    private struct Worker: Decodable {
        var id: UInt32
        var pool: String
        var endpoint: String
        var state: String
        var breaker: String
        var slots: Int
        var in_flight: Int
        var other_in_flight: Int
        var weight: Double
        var process: Process?
    }

    private struct Process: Decodable {
        var index: Int
        var pid: Int32?
        var restarts: Int
    }

    let lines: [String]

    init(_ json: Data) throws {
        let answer = try JSONDecoder().decode(Answer.self, from: json)
        var rows = [
            [
                "ID", "POOL", "STATE", "BREAKER", "IN FLIGHT", "OTHERS", "SLOTS", "WEIGHT",
                "PROCESS",
                "PID",
                "RESTARTS", "ENDPOINT",
            ]
        ]
        for worker in answer.workers {
            rows.append(
                [
                    "\(worker.id)", worker.pool, worker.state,
                    worker.breaker.replacingOccurrences(of: "_", with: " "),
                    "\(worker.in_flight)", "\(worker.other_in_flight)", "\(worker.slots)",
                    TextTable.number(worker.weight),
                ] + Self.cells(worker.process) + [worker.endpoint])
        }
        for process in answer.starting {
            rows.append(
                ["-", "-", "starting", "-", "0", "0", "-", "-"] + Self.cells(process) + ["-"])
        }
        lines = TextTable(rows).lines
    }

    private static func cells(_ process: Process?) -> [String] {
        guard let process else { return ["-", "-", "-"] }
        return ["\(process.index)", process.pid.map { "\($0)" } ?? "-", "\(process.restarts)"]
    }
}
