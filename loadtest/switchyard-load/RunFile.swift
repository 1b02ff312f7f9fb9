import ArgumentParser
import Foundation
import LoadGenerator

/// Files that this program wrote.
enum RunFile {
    static func report(_ path: String) throws -> LoadReport {
        do {
            return try LoadReport.decoded(from: try data(path))
        } catch let error as DecodingError {
            throw ValidationError("\(path): not a run's JSON: \(error)")
        }
    }

    static func data(_ path: String) throws -> Data {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ValidationError("\(path): cannot be read")
        }
        return data
    }
}
