import ArgumentParser
import Foundation
import LoadGenerator

/// `switchyard-load compare`: two sides, one or more runs each.
struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Compare runs, with confidence intervals.",
        usage: "switchyard-load compare A.json B.json\n"
            + "       switchyard-load compare A1.json A2.json ... -- B1.json B2.json ...",
        discussion: """
            Takes what `run --json` wrote. Ratios are B over A with 95 % intervals; a difference \
            whose interval contains 1 is noise. Of the figures of equal sides about one in twenty \
            is called a difference all the same.
            """)

    @Flag(help: "Print JSON.")
    var json = false

    @Argument(parsing: .captureForPassthrough, help: "The runs; `--` stands between the sides.")
    var files: [String]

    func run() throws {
        var words = files
        var printsJSON = json
        if let flag = words.firstIndex(of: "--json") {
            words.remove(at: flag)
            printsJSON = true
        }
        let (left, right) = try Self.sides(words)
        let comparison = Comparison(
            left: try left.map(RunFile.report), right: try right.map(RunFile.report))
        print(printsJSON ? try comparison.json() : comparison.table)
    }

    static func sides(_ words: [String]) throws -> ([String], [String]) {
        if let unknown = words.first(where: { $0.hasPrefix("--") && $0 != "--" }) {
            throw ValidationError("unknown option \(unknown)")
        }
        let parts = words.split(separator: "--", omittingEmptySubsequences: false).map(Array.init)
        if parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty { return (parts[0], parts[1]) }
        guard parts.count == 1, words.count == 2 else {
            throw ValidationError("expected A.json B.json, or A.json ... -- B.json ...")
        }
        return ([words[0]], [words[1]])
    }
}
