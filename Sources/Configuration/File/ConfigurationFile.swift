internal import Foundation
internal import Gateway
internal import Yams

/// What a configuration file says, key by key; not yet whether it makes sense together.
struct ConfigurationFile: Sendable {
    struct Model: Sendable {
        var values: SettingValues
        var source: ValueSource
    }

    struct Split: Sendable {
        struct Share: Sendable {
            var model: String
            var weight: Int
            var source: ValueSource
        }
        var name: String
        var source: ValueSource
        var shares: [Share]
    }

    struct Pool: Sendable {
        var values: SettingValues
        var source: ValueSource
        var supervised: SettingValues?
        var supervisedSource: ValueSource?
        var workers: [SettingValues] = []
        var dns: [SettingValues] = []
        var link: SettingValues?
        /// Of kind openai.
        var upstream: SettingValues?
        var upstreamSource: ValueSource?
    }

    static let sections = ["models", "splits", "pools"]

    /// What flags can also say.
    var values = SettingValues()
    /// Which of `sections` are there, and where.
    var sectionSources: [String: ValueSource] = [:]
    /// Nil when flags and the file's other keys describe the one model.
    var firstSection: ValueSource? {
        Self.sections.lazy.compactMap { sectionSources[$0] }.first
    }
    var models: [Model] = []
    var splits: [Split] = []
    var pools: [Pool] = []

    /// Reads `path`. Problems are added to `problems`; what can be read is returned all the same,
    /// so that the rest can be looked at too.
    static func read(
        _ path: String, command: SettingsCommand, problems: inout ConfigurationErrors
    ) -> ConfigurationFile {
        let text: String?
        if let data = FileManager.default.contents(atPath: path) {
            let isBounded = data.count <= YAMLReader.fileLimitBytes
            text = isBounded ? String(bytes: data, encoding: .utf8) : nil
            if text == nil {
                problems.add(
                    nil,
                    isBounded
                        ? "\(path): not UTF-8"
                        : "\(path): more than \(YAMLReader.fileLimitBytes) bytes")
            }
        } else {
            problems.add(nil, "\(path): cannot read the configuration file")
            text = nil
        }
        return ConfigurationFile(
            text: text ?? "", path: path, command: command, problems: &problems)
    }

    init(
        text: String, path: String, command: SettingsCommand,
        problems: inout ConfigurationErrors
    ) {
        do {
            var reader = YAMLReader(text: try YAMLText(text), file: path)
            reader.problems = problems
            if let root = reader.text.root { read(root, command, &reader) }
            problems = reader.problems
        } catch {
            problems.add(
                .file(FilePlace(file: path, line: error.line, column: error.column)),
                error.message)
        }
    }

    private mutating func read(
        _ root: Node, _ command: SettingsCommand, _ reader: inout YAMLReader
    ) {
        let entries = reader.entries(root, of: "the file")
        // A file cannot name another one.
        let settings = command.settings.filter { $0 != .config }
        values = reader.values(entries, settings, sections: Self.sections) { key in
            let other: SettingsCommand = command == .serve ? .gateway : .serve
            guard other.settings.contains(where: { $0.name == key }), key != Setting.config.name
            else { return nil }
            return ": it is a setting of `switchyard \(other.rawValue)`"
        }
        for entry in entries where Self.sections.contains(entry.key) {
            sectionSources[entry.key] = entry.source
            switch entry.key {
            case "models":
                models = reader.elements(entry.node, of: entry.key).map { Model($0, &reader) }
            case "splits":
                splits = reader.entries(entry.node, of: entry.key).map { Split($0, &reader) }
            default:
                pools = reader.elements(entry.node, of: entry.key).map { Pool($0, &reader) }
            }
        }
    }
}

extension ConfigurationFile.Model {
    fileprivate init(_ node: Node, _ reader: inout YAMLReader) {
        let entries = reader.entries(node, of: "a model")
        values = reader.values(entries, Setting.ofModels)
        source = reader.source(of: node)
        reader.require([.name], in: values, entries, node)
    }
}

extension ConfigurationFile.Split {
    /// A share in proportion to the others.
    private static let weight = Setting(
        "share", .integer(1...ModelSplit.weightLimit), "In proportion to the sum of all.")

    fileprivate init(_ entry: YAMLReader.Entry, _ reader: inout YAMLReader) {
        name = entry.key
        source = entry.source
        shares = []
        for share in reader.entries(entry.node, of: "a split") {
            guard
                case .integer(let weight)? = reader.scalar(
                    Self.weight, share.node, expects: Self.weight.kind.expectation)
            else { continue }
            shares.append(Share(model: share.key, weight: weight, source: share.source))
        }
    }
}

extension ConfigurationFile.Pool {
    private static let sections = ["supervised", "workers", "dns", "link", "upstream"]

    fileprivate init(_ node: Node, _ reader: inout YAMLReader) {
        let entries = reader.entries(node, of: "a pool")
        values = reader.values(entries, Setting.ofPools, sections: Self.sections)
        source = reader.source(of: node)
        reader.require([.poolName, .poolModel], in: values, entries, node)
        for entry in entries {
            switch entry.key {
            case "supervised":
                supervisedSource = entry.source
                supervised = Self.section(
                    entry.node, "supervised", Setting.ofSupervised, [], &reader)
            case "workers":
                workers = reader.elements(entry.node, of: "workers").map {
                    Self.section($0, "a worker", Setting.ofWorkers, [.address], &reader)
                }
            case "dns":
                dns = reader.elements(entry.node, of: "dns").map {
                    Self.section(
                        $0, "an entry of dns", Setting.ofDNS, [.dnsName, .dnsPort], &reader)
                }
            case "link":
                link = Self.section(entry.node, "link", Setting.ofLink, [], &reader)
            case "upstream":
                upstreamSource = entry.source
                upstream = Self.section(
                    entry.node, "upstream", Setting.ofUpstreams, [], &reader)
            default: break
            }
        }
    }

    private static func section(
        _ node: Node, _ what: String, _ settings: [Setting], _ required: [Setting],
        _ reader: inout YAMLReader
    ) -> SettingValues {
        let entries = reader.entries(node, of: what)
        let values = reader.values(entries, settings)
        reader.require(required, in: values, entries, node)
        return values
    }
}
