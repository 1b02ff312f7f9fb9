import ArgumentParser
import Foundation
import LoadGenerator

/// Files that this program wrote.
enum RunFile {
    case run(LoadReport)
    case knee(KneeReport)

    /// What only a knee search has.
    private struct Form: Decodable {
        var share: Double?
    }

    static func read(_ path: String) throws -> RunFile {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ValidationError("\(path): cannot be read")
        }
        do {
            let isKnee = try JSONDecoder().decode(Form.self, from: data).share != nil
            return isKnee
                ? .knee(try KneeReport.decoded(from: data))
                : .run(try LoadReport.decoded(from: data))
        } catch let error as DecodingError {
            throw ValidationError("\(path): not a run's JSON, nor a knee search's: \(error)")
        }
    }

    static func report(_ path: String) throws -> LoadReport {
        guard case .run(let report) = try read(path) else {
            throw ValidationError("\(path): a knee search, not a run")
        }
        return report
    }
}
