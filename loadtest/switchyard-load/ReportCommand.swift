import ArgumentParser
import Foundation
import LoadGenerator

/// `switchyard-load report`: runs as a page with plots.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Write a self-contained HTML page about runs and knee searches.",
        discussion: """
            Takes what `run --json` and `find-knee` wrote. Several runs are drawn over each other; \
            three or more open-loop runs at different rates also give latency against load.
            """)

    /// More would be no picture.
    static let filesMax = 12

    @Argument(help: "JSON files; LABEL=FILE names one in legends.")
    var files: [String]

    @Option(name: .shortAndLong, help: "The page.")
    var output: String

    @Option(help: "Its title.")
    var title = "Load test"

    func validate() throws {
        guard (1...Self.filesMax).contains(files.count) else {
            throw ValidationError("expected 1 to \(Self.filesMax) files")
        }
    }

    func run() throws {
        var runs: [HTMLReport.Run] = []
        var knees: [HTMLReport.Knee] = []
        for (label, path) in files.map(Self.labelled) {
            switch try RunFile.read(path) {
            case .knee(let knee): knees.append(.init(label: label, report: knee))
            case .run(let run): runs.append(.init(label: label, report: run))
            }
        }
        let page = HTMLReport(title: title, runs: runs, knees: knees).html
        do {
            try Data(page.utf8).write(to: URL(fileURLWithPath: output))
        } catch {
            throw ValidationError("\(output): cannot be written: \(error.localizedDescription)")
        }
    }

    /// A file without a label is called by its name.
    private static func labelled(_ argument: String) -> (String, String) {
        if let equals = argument.firstIndex(of: "="), equals != argument.startIndex {
            return (String(argument[..<equals]), String(argument[argument.index(after: equals)...]))
        }
        let name = URL(fileURLWithPath: argument).deletingPathExtension().lastPathComponent
        return (name, argument)
    }
}
