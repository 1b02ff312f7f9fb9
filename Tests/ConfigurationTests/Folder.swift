import Foundation
import HTTPTransport

@testable import Configuration

/// A folder with what configurations name, removed at the end.
final class Folder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "sy-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        try write("m.gguf", "GGUF rest")
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        let file = "\(path)/\(name)"
        try FileManager.default.createDirectory(
            atPath: (file as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true)
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }

    func source(
        _ command: SettingsCommand = .serve, yaml: String? = nil,
        flags: [String: [String]] = [:], environment: [String: String] = [:]
    ) throws -> ConfigurationSource {
        var flags = flags
        if let yaml { flags["config"] = [try write("s.yaml", yaml)] }
        return ConfigurationSource(
            command: command, flags: flags,
            environment: environment.merging(["HOME": path]) { given, _ in given },
            machine: .init(executable: "/bin/switchyard", processIdentifier: 7, cores: 4))
    }

    /// What is wrong with a file, with this folder's name left out.
    func problems(
        _ yaml: String, command: SettingsCommand = .serve, flags: [String: [String]] = [:],
        environment: [String: String] = [:]
    ) throws -> [String] {
        do {
            _ = try source(command, yaml: yaml, flags: flags, environment: environment).check()
            return []
        } catch let errors as ConfigurationErrors {
            return errors.description.replacingOccurrences(of: path + "/", with: "")
                .components(separatedBy: "\n")
        }
    }
}
