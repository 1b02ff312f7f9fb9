import Foundation

/// The repository's hand-written Swift sources, as text.
struct SourceTree {
    struct File: Sendable {
        /// From the repository's root, with `/`.
        var path: String
        var lines: [String]

        /// The folder that makes up its target: `Sources/Gateway`.
        var target: String {
            path.split(separator: "/").prefix(2).joined(separator: "/")
        }

        /// Lines without comments and string literals' contents, good enough to look for words.
        var code: [(number: Int, text: String)] {
            lines.enumerated().compactMap { index, line in
                let text = line.drop { $0 == " " }
                guard !text.hasPrefix("//") else { return nil }
                guard let comment = text.range(of: " // ") else { return (index + 1, String(text)) }
                return (index + 1, String(text[..<comment.lowerBound]))
            }
        }
    }

    static let generated = ["Sources/EngineProto/", "Sources/XAIProto/"]

    static let files: [File] = load(["Sources", "loadtest", "Tests"], ending: ".swift")
    static let sources: [File] = files.filter { !$0.path.hasPrefix("Tests/") }

    static let root: URL = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func load(_ folders: [String], ending: String) -> [File] {
        var files: [File] = []
        for folder in folders {
            let base = root.appendingPathComponent(folder)
            guard let walk = FileManager.default.enumerator(atPath: base.path) else { continue }
            for case let relative as String in walk where relative.hasSuffix(ending) {
                let path = "\(folder)/\(relative)"
                guard !generated.contains(where: { path.hasPrefix($0) }),
                    let data = FileManager.default.contents(atPath: base.path + "/" + relative)
                else { continue }
                let text = String(decoding: data, as: UTF8.self)
                files.append(
                    File(path: path, lines: text.components(separatedBy: "\n")))
            }
        }
        return files.sorted { $0.path < $1.path }
    }
}
