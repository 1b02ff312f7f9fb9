import ArgumentParser
import Foundation
import LoadGenerator

/// Files of the command line.
enum TraceInput {
    static func trace(_ path: String, option: String) throws -> Trace {
        do {
            return try TraceReader.trace(
                try text(path, bytesMax: TraceReader.fileBytesMax, option: option))
        } catch let error as TraceError {
            throw ValidationError("\(option) \(path), \(error)")
        }
    }

    /// As it was recorded, for requests of these classes.
    static func replay(_ path: String, _ classes: [TrafficClass]) throws -> TraceReplay {
        let replay: TraceReplay
        do {
            replay = try TraceReplay(try trace(path, option: "--trace"))
        } catch let error as TraceError {
            throw ValidationError("--trace \(path): \(error)")
        }
        if let name = replay.unknownClass(in: classes) {
            throw ValidationError(
                "--trace \(path): the mix has no class \"\(name)\", which it names")
        }
        return replay
    }

    static func text(_ path: String, bytesMax: Int, option: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ValidationError("\(option) \(path): cannot be read")
        }
        guard data.count <= bytesMax, let text = String(bytes: data, encoding: .utf8) else {
            throw ValidationError("\(option) \(path): not UTF-8, or more than \(bytesMax) bytes")
        }
        return text
    }
}
