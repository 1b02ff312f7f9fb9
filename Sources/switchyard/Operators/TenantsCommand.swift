import ArgumentParser
import Foundation

/// `switchyard tenants`: the licensees of a gateway.
struct TenantsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tenants", abstract: "Make, show, change and block tenants.",
        discussion: "Changes hold from the next request on.",
        subcommands: [
            List.self, Create.self, Show.self, Update.self, Block.self, Unblock.self, Delete.self,
            ImportLicense.self,
        ],
        defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show all tenants.")
        @OptionGroup var client: TenancyClient

        func run() async throws {
            try client.show(try await client.ask("GET", ["tenants"])) { try TenantTable($0).lines }
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a tenant.")
        @OptionGroup var client: TenancyClient
        @Argument(help: "Its id: a-z, 0-9 and -_.") var id: String
        @OptionGroup var options: TenantOptions

        func run() async throws {
            var body = try options.body()
            body["id"] = id
            try client.show(try await client.ask("POST", ["tenants"], body), TenantTable.terms)
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a tenant and its terms.")
        @OptionGroup var client: TenancyClient
        @Argument(help: "Its id.") var id: String

        func run() async throws {
            try client.show(try await client.ask("GET", ["tenants", id]), TenantTable.terms)
        }
    }

    struct Update: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change a tenant's terms.", discussion: "What is not named stays as it is.")
        @OptionGroup var client: TenancyClient
        @Argument(help: "Its id.") var id: String
        @OptionGroup var options: TenantOptions

        func run() async throws {
            let answer = try await client.ask("PATCH", ["tenants", id], try options.body())
            try client.show(answer, TenantTable.terms)
        }
    }

    struct Block: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse a tenant's requests (403); those that run go on.")
        @OptionGroup var client: TenancyClient
        @Argument(help: "Its id.") var id: String

        func run() async throws {
            let answer = try await client.ask("POST", ["tenants", id, "block"])
            try client.show(answer, TenantTable.terms)
        }
    }

    struct Unblock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take its requests again.")
        @OptionGroup var client: TenancyClient
        @Argument(help: "Its id.") var id: String

        func run() async throws {
            let answer = try await client.ask("POST", ["tenants", id, "unblock"])
            try client.show(answer, TenantTable.terms)
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget a tenant, its keys and everything that it has stored.")
        @OptionGroup var client: TenancyClient
        @Argument(help: "Its id.") var id: String

        func run() async throws {
            try client.show(try await client.ask("DELETE", ["tenants", id])) { _ in [] }
        }
    }
}

extension TenantsCommand {
    struct ImportLicense: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import-license",
            abstract: "Make a licence's tenant, or give it the licence's terms.",
            discussion: """
                The gateway takes licences of those whose keys --license-key-file has; no \
                network is asked.
                """)
        @OptionGroup var client: TenancyClient
        @Argument(help: "The licence's file, - for standard input.") var file: String

        func run() async throws {
            let body = ["license": try LicenseFile.token(file)]
            let answer = try await client.ask("POST", ["licenses"], body)
            try client.show(answer, TenantTable.terms)
        }
    }
}

/// What only tenants have, besides the terms.
struct TenantOptions: ParsableArguments {
    @Option(help: "For people.") var name: String?
    @OptionGroup var terms: TermsOptions
    @Option(help: "Share of what is not guaranteed to others, in proportion to their weights.")
    var weight: Double?
    @Option(help: "Part of each pool that it gets whatever others do, 0 to 1.")
    var guaranteedShare: Double?
    @Option(help: "Part of each pool that it never exceeds while others wait, 0 to 1.")
    var maximumShare: Double?
    @Option(help: "A pool that is its own: it uses no others; may be repeated.")
    var pool: [String] = []
    @Option(help: "How long anything is stored at most, in seconds; 0: nothing is.")
    var retentionSeconds: Int?
    @Option(
        help: "Limits of one model, MODEL:requests=N,tokens=N,concurrent=N; may be repeated.")
    var modelLimit: [String] = []

    func body() throws -> [String: Any] {
        var body = try terms.body()
        body["name"] = name
        body["weight"] = weight ?? body["weight"]
        body["guaranteed_share"] = guaranteedShare ?? body["guaranteed_share"]
        body["maximum_share"] = maximumShare ?? body["maximum_share"]
        if !pool.isEmpty { body["pools"] = pool }
        body["retention_seconds"] = retentionSeconds ?? body["retention_seconds"]
        if !modelLimit.isEmpty { body["model_limits"] = try modelLimits() }
        return body
    }

    private func modelLimits() throws -> [String: [String: Int]] {
        let names = [
            "requests": "requests_per_minute", "tokens": "tokens_per_minute",
            "concurrent": "concurrent_requests",
        ]
        var all: [String: [String: Int]] = [:]
        for text in modelLimit {
            // A model's name may have colons.
            guard let colon = text.lastIndex(of: ":") else {
                throw ValidationError("--model-limit \(text): expected MODEL:requests=N,…")
            }
            var limits: [String: Int] = [:]
            for part in text[text.index(after: colon)...].split(separator: ",") {
                let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
                guard pair.count == 2, let name = names[pair[0]], let value = Int(pair[1]) else {
                    throw ValidationError("--model-limit \(text): cannot read \(part)")
                }
                limits[name] = value
            }
            all[String(text[..<colon])] = limits
        }
        return all
    }
}

/// Tenants for people.
struct TenantTable {
    private struct Answer: Decodable {
        var tenants: [Tenant]
    }

    private struct Tenant: Decodable {
        struct Terms: Decodable {
            var tier: String?
            var weight: Double?
            var guaranteed_share: Double?
            var models: [String]?
            var expires: Int64?
        }
        var id: String
        var name: String
        var blocked: Bool
        var licensed: Bool
        var terms: Terms
    }

    let lines: [String]

    init(_ json: Data) throws {
        let answer = try JSONDecoder().decode(Answer.self, from: json)
        let head = [
            "TENANT", "NAME", "STATE", "TIER", "WEIGHT", "GUARANTEED", "MODELS", "EXPIRES", "BY",
        ]
        lines =
            TextTable(
                [head]
                    + answer.tenants.map { tenant in
                        [
                            tenant.id, tenant.name, tenant.blocked ? "blocked" : "active",
                            tenant.terms.tier ?? "priority",
                            TextTable.number(tenant.terms.weight ?? 1),
                            TextTable.number(tenant.terms.guaranteed_share ?? 0),
                            (tenant.terms.models ?? ["*"]).joined(separator: ","),
                            Self.date(tenant.terms.expires),
                            tenant.licensed ? "licence" : "operator",
                        ]
                    }
            ).lines
    }

    static func date(_ seconds: Int64?) -> String {
        seconds.map {
            Date(timeIntervalSince1970: Double($0)).formatted(.iso8601.year().month().day())
        } ?? "never"
    }

    /// Everything about one, a line for each term.
    static func terms(_ json: Data) throws -> [String] {
        guard let object = try JSONSerialization.jsonObject(with: json) as? [String: Any] else {
            return []
        }
        var members = object
        let terms = members.removeValue(forKey: "terms") as? [String: Any] ?? [:]
        for (name, value) in terms { members[name] = value }
        return TextTable(
            members.sorted { $0.key < $1.key }.map { [$0.key, text($0.value)] }
        ).lines
    }

    private static func text(_ value: Any) -> String {
        guard
            let data = try? JSONSerialization.data(
                withJSONObject: value, options: [.fragmentsAllowed, .sortedKeys])
        else { return "" }
        if let text = value as? String { return text }
        return String(decoding: data, as: UTF8.self)
    }
}
