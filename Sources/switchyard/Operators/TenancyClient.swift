import ArgumentParser
import Foundation
import Gateway

/// Asks a running gateway about tenants and keys, or a data directory that none uses.
struct TenancyClient: ParsableArguments {
    @OptionGroup var admin: AdminClient
    @Option(help: "Change this data directory itself; only while no gateway runs with it.")
    var dataDir: String?
    @Option(help: "With --data-dir: keys of those whose licences are taken.")
    var licenseKeyFile: String?
    @Flag(help: "Print the answer as JSON.") var json = false

    /// - Parameter parts: of the path behind `/admin/v1`.
    func ask(_ method: String, _ parts: [String], _ body: [String: Any] = [:]) async throws -> Data
    {
        guard let dataDir else {
            let path = parts.map { AdminClient.encoded($0) }.joined(separator: "/")
            return try await admin.ask(method, "/admin/v1/\(path)", body: body)
        }
        do {
            let offline = try OfflineTenancy(
                dataDirectory: dataDir, licenseKeyFile: licenseKeyFile)
            let bytes = body.isEmpty ? [] : Array(try JSONSerialization.data(withJSONObject: body))
            let answer = try offline.ask(method, parts, body: bytes)
            try offline.close()
            return Data(answer)
        } catch {
            Output.error("switchyard: \(error)")
            throw ExitCode.failure
        }
    }

    /// Prints an answer as it is, or what `lines` makes of it.
    func show(_ answer: Data, _ lines: (Data) throws -> [String]) throws {
        guard !json else {
            return Output.line(
                String(decoding: answer, as: UTF8.self).trimmingCharacters(in: .newlines))
        }
        for line in try lines(answer) { Output.line(line) }
    }
}

/// Terms as flags. What is not given stays as it is.
struct TermsOptions: ParsableArguments {
    @Option(help: "A model that may be used, * for any text; may be repeated.")
    var model: [String] = []
    @Option(help: "An endpoint that may be used, such as chat_completions; may be repeated.")
    var endpoint: [String] = []
    @Option(help: "The best tier that is granted: priority, default or batch.")
    var tier: String?
    @Option(help: "Requests a minute.") var requestsPerMinute: Int?
    @Option(help: "Tokens a minute, prompt and completion.") var tokensPerMinute: Int?
    @Option(help: "Requests at once.") var concurrentRequests: Int?
    @Option(help: "Tokens in all, prompt and completion.") var tokenBudget: Int64?
    @Option(help: "US dollars in all.") var usdBudget: Double?
    @Option(help: "Until when, as 2027-01-31 or 2027-01-31T12:00:00Z.") var expires: String?
    @Option(help: "A term that no longer limits anything (its name in JSON); may be repeated.")
    var clear: [String] = []

    func body() throws -> [String: Any] {
        var body: [String: Any] = [:]
        for name in clear { body[name] = NSNull() }
        if !model.isEmpty { body["models"] = model }
        if !endpoint.isEmpty { body["endpoints"] = endpoint }
        body["tier"] = tier ?? body["tier"]
        var limits: [String: Any] = [:]
        limits["requests_per_minute"] = requestsPerMinute
        limits["tokens_per_minute"] = tokensPerMinute
        limits["concurrent_requests"] = concurrentRequests
        if !limits.isEmpty { body["limits"] = limits }
        body["token_budget"] = tokenBudget ?? body["token_budget"]
        if let usdBudget {
            body["usd_ticks_budget"] = Int64((usdBudget * Self.ticksPerUSD).rounded())
        }
        if let expires { body["expires"] = try Self.seconds(expires) }
        return body
    }

    private static let ticksPerUSD = 1e10

    static func seconds(_ text: String) throws -> Int64 {
        let style = Date.ISO8601FormatStyle()
        guard
            let date = try? Date(
                text, strategy: text.contains("T") ? style : style.year().month().day())
        else { throw ValidationError("--expires \(text): expected a date such as 2027-01-31") }
        return Int64(date.timeIntervalSince1970)
    }
}
