internal import Yams

/// Reads sections of a configuration file and notes what is wrong with them.
struct YAMLReader {
    /// Largest file, in bytes; a larger one is refused.
    static let fileLimitBytes = 1 << 20
    /// Most elements of a list; more are refused.
    static let elementLimit = 4_096

    /// One entry of a mapping.
    struct Entry {
        var key: String
        var source: ValueSource
        var node: Node
    }

    let text: YAMLText
    /// As the program was told, for messages.
    let file: String
    /// What relative paths begin with; empty for the process's own folder.
    let folder: String
    var problems = ConfigurationErrors()

    init(text: YAMLText, file: String) {
        self.text = text
        self.file = file
        folder = file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
    }

    func source(of node: Node) -> ValueSource {
        .file(
            FilePlace(file: file, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1))
    }

    /// The entries of a mapping, each key once.
    mutating func entries(_ node: Node, of what: String) -> [Entry] {
        guard case .mapping(let mapping) = node else {
            problems.add(
                source(of: node), "\(what): expected keys and values, not \(Self.say(node))")
            return []
        }
        var entries: [Entry] = []
        var lines: [String: ValueSource] = [:]
        for (keyNode, value) in mapping.prefix(Self.elementLimit) {
            guard case .scalar(let scalar) = keyNode else {
                problems.add(source(of: keyNode), "expected a key, not \(Self.say(keyNode))")
                continue
            }
            let key = text.key(scalar.string)
            let source = source(of: keyNode)
            if case .file(let first)? = lines[key] {
                problems.add(source, "key \"\(key)\" is given twice, first in line \(first.line)")
                continue
            }
            lines[key] = source
            entries.append(Entry(key: key, source: source, node: value))
        }
        if mapping.count > Self.elementLimit { addTooMany(what, node) }
        return entries
    }

    /// The elements of a list.
    mutating func elements(_ node: Node, of what: String) -> [Node] {
        guard case .sequence(let sequence) = node else {
            problems.add(source(of: node), "\(what): expected a list, not \(Self.say(node))")
            return []
        }
        if sequence.count > Self.elementLimit { addTooMany(what, node) }
        return Array(sequence.prefix(Self.elementLimit))
    }

    /// Values of `settings`. Keys in `sections` are the caller's; others are unknown.
    mutating func values(
        _ entries: [Entry], _ settings: [Setting], sections: [String] = [],
        elsewhere: (String) -> String? = { _ in nil }
    ) -> SettingValues {
        var values = SettingValues()
        for entry in entries where !sections.contains(entry.key) {
            guard let setting = settings.first(where: { $0.name == entry.key }) else {
                let hint =
                    elsewhere(entry.key)
                    ?? Suggestion.text(for: entry.key, among: settings.map(\.name) + sections)
                problems.add(entry.source, "unknown key \"\(entry.key)\"\(hint)")
                continue
            }
            if let value = value(setting, entry) { values.set(setting, value) }
        }
        return values
    }

    /// Notes each of `settings` that `values` lacks.
    mutating func require(
        _ settings: [Setting], in values: SettingValues, _ entries: [Entry], _ node: Node
    ) {
        guard case .mapping = node else { return }
        for setting in settings
        where !values.isGiven(setting) && !entries.contains(where: { $0.key == setting.name }) {
            problems.add(source(of: node), "key \"\(setting.name)\" is missing")
        }
    }

    private mutating func value(_ setting: Setting, _ entry: Entry) -> SourcedValue? {
        guard setting.isList else {
            guard let value = scalar(setting, entry.node, expects: setting.kind.expectation) else {
                return nil
            }
            return SourcedValue(value: value, source: source(of: entry.node))
        }
        var texts: [String] = []
        var sources: [ValueSource] = []
        guard case .sequence = entry.node else {
            problems.add(
                source(of: entry.node),
                "\(setting.name): expected a list, not \(Self.say(entry.node))")
            return nil
        }
        for node in elements(entry.node, of: setting.name) {
            guard let value = scalar(setting, node, expects: setting.kind.expectation) else {
                continue
            }
            texts.append(value.text)
            sources.append(source(of: node))
        }
        return SourcedValue(
            value: .list(texts), source: source(of: entry.node), elementSources: sources)
    }

    mutating func scalar(
        _ setting: Setting, _ node: Node, expects expectation: String
    ) -> SettingValue? {
        if case .scalar(let scalar) = node, !Self.isNull(scalar),
            setting.kind.isText || !Self.isQuoted(scalar),
            let value = setting.kind.value(of: scalar.string)
        {
            return setting.kind == .path ? resolved(value.text) : value
        }
        problems.add(
            source(of: node),
            "\(setting.name): expected \(expectation), not \(Self.say(node))")
        return nil
    }

    /// Relative to the file's folder.
    private func resolved(_ path: String) -> SettingValue {
        .text(path.hasPrefix("/") || path == "-" ? path : folder + path)
    }

    private mutating func addTooMany(_ what: String, _ node: Node) {
        problems.add(source(of: node), "\(what): at most \(Self.elementLimit) entries")
    }

    private static func isQuoted(_ scalar: Node.Scalar) -> Bool {
        switch scalar.style {
        case .any, .plain: false
        default: true
        }
    }

    private static func isNull(_ scalar: Node.Scalar) -> Bool {
        !isQuoted(scalar) && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// A node in words, for "not …".
    static func say(_ node: Node) -> String {
        switch node {
        case .mapping: "keys and values"
        case .sequence: "a list"
        case .alias: "an alias"
        case .scalar(let scalar):
            if isNull(scalar) {
                "nothing"
            } else if isQuoted(scalar) {
                "the text \"\(scalar.string.prefix(80))\""
            } else {
                "\"\(scalar.string.prefix(80))\""
            }
        }
    }
}
