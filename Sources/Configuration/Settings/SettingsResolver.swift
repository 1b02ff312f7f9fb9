/// Flags, environment and file, in this order; defaults are in the settings themselves.
struct SettingsResolver {
    /// What was given for each flag, without dashes; `true` for a toggle.
    var flags: [String: [String]]
    var environment: [String: String]
    var problems = ConfigurationErrors()

    /// A variable that is empty counts as not given.
    mutating func values(of settings: [Setting], file: SettingValues? = nil) -> SettingValues {
        var values = SettingValues()
        for setting in settings {
            if let texts = flags[setting.name], !texts.isEmpty {
                read(setting, texts, .flag(setting.name), into: &values)
            } else if let text = environment[setting.environmentName], !text.isEmpty {
                let texts =
                    setting.isList
                    ? text.split(separator: ",").map { String(Self.trim($0)) } : [text]
                read(setting, texts, .environment(setting.environmentName), into: &values)
            } else if let value = file?.given[setting.name] {
                values.set(setting, value)
            } else if let name = setting.sharedVariable, let text = environment[name], !text.isEmpty
            {
                read(setting, [text], .environment(name), into: &values)
            }
        }
        return values
    }

    /// Variables that look like settings and are none of `command`'s.
    func warnings(for command: SettingsCommand) -> [String] {
        let own = Set(command.settings.map(\.environmentName))
        return environment.keys.sorted().compactMap { name in
            guard name.hasPrefix(Setting.environmentPrefix), !own.contains(name),
                !Self.otherVariables.contains(name)
            else { return nil }
            let others = SettingsCommand.allCases.filter {
                $0.settings.contains { $0.environmentName == name }
            }
            guard others.isEmpty else {
                let commands = others.map { "`switchyard \($0.rawValue)`" }
                return "\(name) is a setting of \(commands.joined(separator: " and ")), not of "
                    + "`switchyard \(command.rawValue)`"
            }
            let names = command.settings.map(\.environmentName)
            return "\(name) is no setting\(Suggestion.text(for: name, among: names))"
        }
    }

    /// Variables of other programs of this repository: clients of the admin port, scripts, tests.
    private static let otherVariables: Set<String> = [
        "SWITCHYARD_ADMIN", "SWITCHYARD_ADMIN_TOKEN_FILE", "SWITCHYARD_API_KEY",
        "SWITCHYARD_BINARY", "SWITCHYARD_CACHE", "SWITCHYARD_CLIENTS", "SWITCHYARD_DEFAULT_MODEL",
        "SWITCHYARD_LLAMA_PREFIX", "SWITCHYARD_MEASURE", "SWITCHYARD_ROUTING_POLICIES",
        "SWITCHYARD_ROUTING_REAL", "SWITCHYARD_TEST_MODEL", "SWITCHYARD_TEST_PYTHON",
        "SWITCHYARD_URL",
    ]

    private mutating func read(
        _ setting: Setting, _ texts: [String], _ source: ValueSource,
        into values: inout SettingValues
    ) {
        var read: [SettingValue] = []
        for text in texts {
            guard let value = setting.kind.value(of: text) else {
                var isUsage = false
                if case .flag = source { isUsage = true }
                problems.add(
                    source, "expected \(setting.kind.expectation), not \"\(text)\"",
                    isUsage: isUsage)
                continue
            }
            read.append(value)
        }
        guard read.count == texts.count, let last = read.last else { return }
        let value = setting.isList ? SettingValue.list(read.map(\.text)) : last
        values.set(setting, SourcedValue(value: value, source: source))
    }

    private static func trim(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return text
    }
}
