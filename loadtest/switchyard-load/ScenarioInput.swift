import ArgumentParser
import Foundation
import LoadGenerator

/// A scenario's file, and the files and variables that it names.
enum ScenarioInput {
    static func configuration(_ path: String) throws -> LoadConfiguration {
        let text = try TraceInput.text(
            path, bytesMax: ScenarioFile.bytesMax, option: "--scenario")
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        func resolved(_ path: String) -> String { path.hasPrefix("/") ? path : folder + path }
        let surroundings = ScenarioSurroundings(
            variable: { ProcessInfo.processInfo.environment[$0] },
            text: { name in
                FileManager.default.contents(atPath: resolved(name)).flatMap {
                    $0.count <= TraceReader.fileBytesMax ? String(bytes: $0, encoding: .utf8) : nil
                }
            },
            path: resolved)
        do {
            return try ScenarioFile.configuration(text, surroundings)
        } catch {
            throw ValidationError(
                error.problems.map { problem in
                    "\(path)" + (problem.line > 0 ? ":\(problem.line)" : "")
                        + ": \(problem.message)"
                }.joined(separator: "\n"))
        }
    }
}
