import ArgumentParser
import Foundation
import InferenceTypes
import Routing

/// `switchyard why REQUEST`: where a request was sent, and why.
struct WhyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why",
        abstract: "Show why a request went where it went.",
        discussion: """
            REQUEST is the `x-request-id` of its answer. A gateway keeps the last --decision-limit \
            decisions.
            """)

    @OptionGroup var client: AdminClient
    @Argument(help: "The request's id.") var request: String
    @Flag(help: "Print the gateway's own JSON.") var json = false

    func run() async throws {
        var allowed = CharacterSet.alphanumerics
        allowed.insert(charactersIn: "-_.:=+")
        let path = request.addingPercentEncoding(withAllowedCharacters: allowed) ?? request
        let answer = try await client.ask("GET", "/admin/v1/decisions/\(path)")
        if json {
            Output.line(String(decoding: answer, as: UTF8.self).trimmingCharacters(in: .newlines))
        } else {
            for line in try DecisionText(answer).lines { Output.line(line) }
        }
    }
}

/// The decisions about a request for people.
struct DecisionText {
    private struct Answer: Decodable {
        var request_id: String
        var waiting: Int
        var decisions: [Entry]
    }

    private struct Entry: Decodable {
        struct Replay: Decodable {
            var worker: WorkerID?
            var same_choice: Bool
        }
        var choice: Int
        var attempt: Int
        var cause: String
        var time: Double
        var tier: String
        var waited_ms: Double
        var waiting: Int
        var record: DecisionRecord?
        var replay: Replay?
        var refusal: String?
    }

    let lines: [String]

    init(_ json: Data) throws {
        let answer = try JSONDecoder().decode(Answer.self, from: json)
        var lines = ["request \(answer.request_id): \(answer.waiting) of its choices wait now"]
        for entry in answer.decisions { lines += [""] + Self.lines(entry) }
        self.lines = lines
    }

    private static func lines(_ entry: Entry) -> [String] {
        let time = Date(timeIntervalSince1970: entry.time).formatted(.iso8601)
        let waited = TextTable.number(entry.waited_ms)
        let head =
            "choice \(entry.choice), \(entry.cause), \(time): waited \(waited) ms in tier "
            + "\(entry.tier), \(entry.waiting) still waited"
        guard let record = entry.record else {
            return [head, "refused: \(entry.refusal ?? "-")"]
        }
        let choice =
            "worker \(record.worker.number) by \(record.policy.rawValue), version "
            + "\(record.version), decision \(record.number), seed \(record.seed), "
            + "\(record.promptTokens) prompt tokens"
        let replay =
            switch entry.replay {
            case let replay? where replay.same_choice: "replay: same choice"
            case let replay?: "replay: worker \(replay.worker.map { "\($0.number)" } ?? "none")"
            case nil: "replay: not made"
            }
        return [head, choice] + TextTable(table(record)).lines + [replay]
    }

    private static func table(_ record: DecisionRecord) -> [[String]] {
        let head = [
            "", "WORKER", "FOUND AS", "COST MS", "CACHED", "PREFILL", "SEQUENCES", "SLOTS",
            "CONTEXT", "WEIGHT", "MS/PROMPT TOKEN",
        ]
        return [head]
            + record.candidates.map { candidate in
                [
                    candidate.worker == record.worker ? ">" : "-", "\(candidate.worker.number)",
                    candidate.origin.rawValue, TextTable.number(candidate.costSeconds * 1_000),
                    "\(candidate.cachedTokens)", "\(candidate.load.prefillTokens)",
                    "\(candidate.load.sequences)", "\(candidate.slots)",
                    "\(candidate.load.contextTokens)", TextTable.number(candidate.weight),
                    TextTable.number(candidate.rates.prefillSecondsPerToken * 1_000),
                ]
            }
    }
}
