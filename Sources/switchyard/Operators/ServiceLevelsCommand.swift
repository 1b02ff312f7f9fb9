import ArgumentParser
import Foundation

/// `switchyard slo`: how each tenant and tier was served by a running gateway.
struct ServiceLevelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slo",
        abstract: "Show how well each tenant and tier was served since the gateway began.")

    @OptionGroup var client: AdminClient
    @Flag(help: "Print the gateway's own JSON.") var json = false

    private struct Report: Decodable {
        struct Tenant: Decodable {
            var tenant: String
            var tier: String
            var requests: Int
            var ttftAttainment: Double?
            var itlAttainment: Double?
            var attainment: Double?
            var limited: Int
            var shed: Int
        }

        var ttftTargetMs: Int
        var itlTargetMs: Int
        var tenants: [Tenant]
    }

    func run() async throws {
        let answer = try await client.ask("GET", "/admin/v1/slo")
        guard !json else {
            return Output.line(
                String(decoding: answer, as: UTF8.self).trimmingCharacters(in: .newlines))
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let report = try decoder.decode(Report.self, from: answer)
        let heads = [
            "TENANT", "TIER", "REQUESTS", "TTFT \(report.ttftTargetMs) MS",
            "ITL \(report.itlTargetMs) MS", "BOTH", "LIMITED", "SHED",
        ]
        let rows = report.tenants.map { tenant in
            [
                tenant.tenant, tenant.tier, "\(tenant.requests)",
                Self.percent(tenant.ttftAttainment), Self.percent(tenant.itlAttainment),
                Self.percent(tenant.attainment), "\(tenant.limited)", "\(tenant.shed)",
            ]
        }
        for line in TextTable([heads] + rows).lines { Output.line(line) }
    }

    private static func percent(_ share: Double?) -> String {
        share.map { String(format: "%.1f %%", $0 * 100) } ?? "-"
    }
}
