/// Where a value came from.
package enum ValueSource: Hashable, Sendable {
    /// Without the two dashes.
    case flag(String)
    /// The variable's name.
    case environment(String)
    case file(FilePlace)
    case fallback
}

/// A place in a configuration file; both numbers count from 1, columns in Unicode scalars.
package struct FilePlace: Hashable, Sendable {
    package var file: String
    package var line: Int
    package var column: Int
}

extension ValueSource: CustomStringConvertible {
    package var description: String {
        switch self {
        case .flag(let name): "--\(name)"
        case .environment(let name): name
        case .file(let place): "\(place.file):\(place.line):\(place.column)"
        case .fallback: "default"
        }
    }

    /// For a comment beside the value: without the column.
    var comment: String {
        switch self {
        case .flag: "flag"
        case .environment(let name): name
        case .file(let place): "\(place.file):\(place.line)"
        case .fallback: "default"
        }
    }
}

/// A value and its source.
struct SourcedValue: Hashable, Sendable {
    var value: SettingValue
    var source: ValueSource
    /// One for each element of a list from a file.
    var elementSources: [ValueSource] = []

    /// The source of an element of a list.
    func source(ofElement index: Int) -> ValueSource {
        index < elementSources.count ? elementSources[index] : source
    }
}

/// The values of one section's settings: what was given, and defaults for the rest. Immutable
/// after it was read.
package struct SettingValues: Sendable {
    private(set) var given: [String: SourcedValue] = [:]

    mutating func set(_ setting: Setting, _ value: SourcedValue) { given[setting.name] = value }

    func isGiven(_ setting: Setting) -> Bool { given[setting.name] != nil }

    /// Given, or the default.
    subscript(_ setting: Setting) -> SourcedValue? {
        given[setting.name]
            ?? setting.fallback.map { SourcedValue(value: $0, source: .fallback) }
    }

    func source(of setting: Setting) -> ValueSource { self[setting]?.source ?? .fallback }

    package func text(_ setting: Setting) -> String? {
        if case .text(let text)? = self[setting]?.value { text } else { nil }
    }

    package func integer(_ setting: Setting) -> Int? {
        if case .integer(let number)? = self[setting]?.value { number } else { nil }
    }

    package func number(_ setting: Setting) -> Double? {
        if case .number(let number)? = self[setting]?.value { number } else { nil }
    }

    package func isOn(_ setting: Setting) -> Bool { self[setting]?.value == .toggle(true) }

    package func list(_ setting: Setting) -> [String] {
        if case .list(let values)? = self[setting]?.value { values } else { [] }
    }

    /// Of a setting that has a default.
    package func requiredText(_ setting: Setting) -> String {
        guard let value = text(setting) else { preconditionFailure(setting.name) }
        return value
    }

    package func requiredInteger(_ setting: Setting) -> Int {
        guard let value = integer(setting) else { preconditionFailure(setting.name) }
        return value
    }

    package func requiredNumber(_ setting: Setting) -> Double {
        guard let value = number(setting) else { preconditionFailure(setting.name) }
        return value
    }
}
