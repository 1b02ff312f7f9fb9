import ArgumentParser
import Foundation

/// `switchyard keys`: the API keys of tenants' applications.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make, show, rotate and block API keys.",
        discussion: """
            A key is shown once, when it is made or rotated; only its hash is kept. KEY is a \
            key's id or prefix. Changes hold from the next request on.
            """,
        subcommands: [
            List.self, Create.self, Show.self, Update.self, Block.self, Unblock.self, Rotate.self,
            Delete.self,
        ],
        defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show all keys, or a tenant's.")
        @OptionGroup var client: TenancyClient
        @Option(help: "Only of this tenant.") var tenant: String?

        func run() async throws {
            let parts = tenant.map { ["tenants", $0, "keys"] } ?? ["keys"]
            try client.show(try await client.ask("GET", parts)) { try KeyTable($0).lines }
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key for a tenant's application.",
            discussion: "Keys of one application share what they have stored.")
        @OptionGroup var client: TenancyClient
        @Argument(help: "The tenant's id.") var tenant: String
        @Option(help: "Whose key it is.") var application = "default"
        @Option(help: "For people and logs. Default: the application.") var name: String?
        @OptionGroup var terms: TermsOptions

        func run() async throws {
            var body = try terms.body()
            body["tenant"] = tenant
            body["application"] = application
            body["name"] = name
            try client.show(try await client.ask("POST", ["keys"], body), KeyTable.secret)
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a key and its terms.")
        @OptionGroup var client: TenancyClient
        @Argument(help: "The key.") var key: String

        func run() async throws {
            try client.show(try await client.ask("GET", ["keys", key]), TenantTable.terms)
        }
    }

    struct Update: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change a key's terms.", discussion: "What is not named stays as it is.")
        @OptionGroup var client: TenancyClient
        @Argument(help: "The key.") var key: String
        @Option(help: "For people and logs.") var name: String?
        @OptionGroup var terms: TermsOptions

        func run() async throws {
            var body = try terms.body()
            body["name"] = name
            try client.show(try await client.ask("PATCH", ["keys", key], body), TenantTable.terms)
        }
    }

    struct Block: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse a key's requests (403); those that run go on.")
        @OptionGroup var client: TenancyClient
        @Argument(help: "The key.") var key: String

        func run() async throws {
            let answer = try await client.ask("POST", ["keys", key, "block"])
            try client.show(answer, TenantTable.terms)
        }
    }

    struct Unblock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take its requests again.")
        @OptionGroup var client: TenancyClient
        @Argument(help: "The key.") var key: String

        func run() async throws {
            let answer = try await client.ask("POST", ["keys", key, "unblock"])
            try client.show(answer, TenantTable.terms)
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a key a new secret.",
            discussion: "The old one is good too until the grace time is over.")
        @OptionGroup var client: TenancyClient
        @Argument(help: "The key.") var key: String
        @Option(help: "How long the old secret stays good. Default: an hour.")
        var graceSeconds: Int?

        func run() async throws {
            let body = graceSeconds.map { ["grace_seconds": $0] } ?? [:]
            let answer = try await client.ask("POST", ["keys", key, "rotate"], body)
            try client.show(answer, KeyTable.secret)
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget a key; what its application has stored stays.")
        @OptionGroup var client: TenancyClient
        @Argument(help: "The key.") var key: String

        func run() async throws {
            try client.show(try await client.ask("DELETE", ["keys", key])) { _ in [] }
        }
    }
}

/// Keys for people.
struct KeyTable {
    private struct Answer: Decodable {
        var keys: [Key]
    }

    private struct Key: Decodable {
        struct Terms: Decodable {
            var tier: String?
            var models: [String]?
            var endpoints: [String]?
            var expires: Int64?
        }
        var prefix: String
        var tenant: String
        var application: String
        var name: String
        var blocked: Bool
        var terms: Terms
    }

    let lines: [String]

    init(_ json: Data) throws {
        let answer = try JSONDecoder().decode(Answer.self, from: json)
        let head = [
            "KEY", "TENANT", "APPLICATION", "NAME", "STATE", "TIER", "MODELS", "ENDPOINTS",
            "EXPIRES",
        ]
        lines =
            TextTable(
                [head]
                    + answer.keys.map { key in
                        [
                            key.prefix, key.tenant, key.application, key.name,
                            key.blocked ? "blocked" : "active", key.terms.tier ?? "-",
                            (key.terms.models ?? ["*"]).joined(separator: ","),
                            (key.terms.endpoints ?? ["*"]).joined(separator: ","),
                            TenantTable.date(key.terms.expires),
                        ]
                    }
            ).lines
    }

    /// The key alone, for a script to take.
    static func secret(_ json: Data) throws -> [String] {
        struct Made: Decodable { var key: String }
        return [try JSONDecoder().decode(Made.self, from: json).key]
    }
}
