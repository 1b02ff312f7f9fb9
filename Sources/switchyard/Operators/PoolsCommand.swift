import ArgumentParser
import Foundation

/// `switchyard pools`: the pools of a running gateway.
struct PoolsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pools", abstract: "Show the pools of a running gateway.")

    @OptionGroup var client: AdminClient
    @Flag(help: "Print the gateway's own JSON.") var json = false

    func run() async throws {
        let answer = try await client.ask("GET", "/admin/v1/pools")
        if json {
            Output.line(String(decoding: answer, as: UTF8.self).trimmingCharacters(in: .newlines))
        } else {
            for line in TextTable(try PoolList(answer).rows).lines { Output.line(line) }
        }
    }
}

/// The list of pools as the gateway tells it.
struct PoolList: Decodable {
    struct Pool: Decodable {
        var name: String
        var model: String
        var path: String?
        var policy: String
        var state: String
        var workers: Int?
        var readyWorkers: Int
        var readySlots: Int
        var inFlight: Int
        var waiting: Int
    }

    var pools: [Pool]

    init(_ json: Data) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(PoolList.self, from: json)
    }

    var rows: [[String]] {
        let heads = [
            "POOL", "MODEL", "STATE", "WANTED", "READY", "SLOTS", "IN FLIGHT", "WAITING", "POLICY",
        ]
        return [heads]
            + pools.map { pool in
                [
                    pool.name, pool.model, pool.state, pool.workers.map { "\($0)" } ?? "-",
                    "\(pool.readyWorkers)", "\(pool.readySlots)", "\(pool.inFlight)",
                    "\(pool.waiting)", pool.policy,
                ]
            }
    }
}

/// `switchyard reload`: the configuration is read anew, as by SIGHUP.
struct ReloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Make a running gateway read its configuration, keys and certificates anew.",
        discussion: "When anything of it is unusable, nothing changes and the reason is printed.")

    @OptionGroup var client: AdminClient

    func run() async throws {
        _ = try await client.ask("POST", "/admin/v1/reload")
    }
}
