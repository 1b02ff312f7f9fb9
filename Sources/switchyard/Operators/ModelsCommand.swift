import ArgumentParser
import Foundation

/// `switchyard models`: what a running gateway serves, and changes of it under traffic.
struct ModelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract: "List, load, swap and unload the models of a running gateway.",
        subcommands: [
            List.self, Load.self, Swap.self, Unload.self, Split.self, RemoveSplit.self,
        ],
        defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show models and splits.")
        @OptionGroup var client: AdminClient
        @Flag(help: "Print the gateway's own JSON.") var json = false

        private struct Answer: Decodable {
            struct Model: Decodable {
                var name: String
                var aliases: [String]
                var path: String?
                var pool: String?
            }
            struct Split: Decodable {
                var name: String
                var shares: [String: Int]
            }
            var models: [Model]
            var splits: [Split]
        }

        func run() async throws {
            let data = try await client.ask("GET", "/admin/v1/models")
            guard !json else {
                return Output.line(
                    String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines))
            }
            let answer = try JSONDecoder().decode(Answer.self, from: data)
            var rows = [["MODEL", "ALIASES", "POOL", "SERVES"]]
            for model in answer.models {
                let aliases = model.aliases.isEmpty ? "-" : model.aliases.joined(separator: ",")
                rows.append([model.name, aliases, model.pool ?? "-", model.path ?? "-"])
            }
            for split in answer.splits {
                let shares = split.shares.sorted { $0.key < $1.key }
                    .map { "\($0.key):\($0.value)" }.joined(separator: " ")
                rows.append([split.name, "-", "-", shares])
            }
            for line in TextTable(rows).lines { Output.line(line) }
        }
    }

    struct Load: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Serve another model, with worker processes of its own.")
        @OptionGroup var client: AdminClient
        @Argument(help: "What clients will call it.") var name: String
        @Argument(help: "The GGUF file, on the gateway's machine.") var path: String
        @Option(help: "Another name; may be given several times.") var alias: [String] = []
        @Option(help: "Worker processes.") var workers = 1
        @Option(
            name: .customLong("worker-argument"), parsing: .unconditionalSingleValue,
            help: "An argument of its workers, instead of the first pool's; several times.")
        var arguments: [String] = []

        func run() async throws {
            var body: [String: Any] = [
                "name": name, "path": absolute(path), "aliases": alias, "workers": workers,
            ]
            if !arguments.isEmpty { body["arguments"] = arguments }
            _ = try await client.ask("POST", "/admin/v1/models", body: body)
        }
    }

    struct Swap: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a pool serve another file.",
            discussion: """
                Workers for the new file start beside the old ones, which serve until the new \
                ones can; what the old ones have may end. `switchyard pools` shows how far it is.
                """)
        @OptionGroup var client: AdminClient
        @Argument(help: "The pool.") var pool: String
        @Argument(help: "The GGUF file, on the gateway's machine.") var path: String
        @Option(help: "What clients will call the model. Default: as before.") var name: String?

        func run() async throws {
            var body = ["path": absolute(path)]
            body["model"] = name
            _ = try await client.ask(
                "POST", "/admin/v1/pools/\(AdminClient.encoded(pool))/swap", body: body)
        }
    }

    struct Unload: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Serve a model no more; what runs may end.")
        @OptionGroup var client: AdminClient
        @Argument(help: "The model.") var name: String

        func run() async throws {
            _ = try await client.ask("DELETE", "/admin/v1/models/\(AdminClient.encoded(name))")
        }
    }

    struct Split: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a name stand for several models, sticky per conversation.",
            discussion: "For example: switchyard models split grok-local v1:90 v2:10")
        @OptionGroup var client: AdminClient
        @Argument(help: "The name.") var name: String
        @Argument(help: "MODEL:WEIGHT, at least one.") var shares: [String]

        func run() async throws {
            var weights: [String: Int] = [:]
            for share in shares {
                guard let colon = share.lastIndex(of: ":"),
                    let weight = Int(share[share.index(after: colon)...])
                else { throw ValidationError("\(share): expected MODEL:WEIGHT") }
                weights[String(share[..<colon])] = weight
            }
            _ = try await client.ask(
                "PUT", "/admin/v1/splits/\(AdminClient.encoded(name))", body: ["shares": weights])
        }
    }

    struct RemoveSplit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove-split", abstract: "Serve nothing under a split's name.")
        @OptionGroup var client: AdminClient
        @Argument(help: "The name.") var name: String

        func run() async throws {
            _ = try await client.ask("DELETE", "/admin/v1/splits/\(AdminClient.encoded(name))")
        }
    }
}

/// The gateway has another working directory.
private func absolute(_ path: String) -> String { URL(fileURLWithPath: path).path }
