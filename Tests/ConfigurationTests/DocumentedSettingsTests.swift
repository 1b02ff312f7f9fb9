import Foundation
import Testing

@testable import Configuration

/// `docs/operations.md` lists every setting, and what it says is what the code says. With
/// `WRITE_DOCS=1` the tables are written instead.
@Suite struct DocumentedSettingsTests {
    private static let file = Repository.root.appendingPathComponent("docs/operations.md")

    @Test func theTablesAreTheCodes() throws {
        var text = try String(contentsOf: Self.file, encoding: .utf8)
        for (name, table) in Self.tables {
            let begin = "<!-- \(name): begin -->\n"
            let end = "<!-- \(name): end -->"
            let start = try #require(text.range(of: begin)?.upperBound)
            let stop = try #require(text.range(of: end)?.lowerBound)
            if ProcessInfo.processInfo.environment["WRITE_DOCS"] != nil {
                text.replaceSubrange(start..<stop, with: table)
            } else {
                #expect(text[start..<stop] == table, "WRITE_DOCS=1 writes it")
            }
        }
        if ProcessInfo.processInfo.environment["WRITE_DOCS"] != nil {
            try text.write(to: Self.file, atomically: true, encoding: .utf8)
        }
    }

    @Test func namesAreUniqueAndHaveTwins() {
        for command in SettingsCommand.allCases {
            let names = command.settings.map(\.name)
            #expect(Set(names).count == names.count)
        }
        #expect(Setting.adminPort.environmentName == "SWITCHYARD_ADMIN_PORT")
    }

    private static var tables: [(name: String, text: String)] {
        var settings: [Setting] = []
        for setting in SettingsCommand.allCases.flatMap(\.settings)
        where !settings.contains(setting) {
            settings.append(setting)
        }
        let flags = settings.map { setting in
            let commands = SettingsCommand.allCases.filter { $0.settings.contains(setting) }
                .map(\.rawValue)
            return row(setting, commands.joined(separator: ", "))
        }
        let sections: [(String, [Setting])] = [
            ("models[]", Setting.ofModels), ("pools[]", Setting.ofPools),
            ("pools[].supervised", Setting.ofSupervised), ("pools[].workers[]", Setting.ofWorkers),
            ("pools[].dns[]", Setting.ofDNS), ("pools[].link", Setting.ofLink),
            ("pools[].upstream", Setting.ofUpstreams),
        ]
        let keys = sections.flatMap { name, settings in settings.map { row($0, "`\(name)`") } }
        return [
            ("settings", head("Programs") + flags.joined()),
            ("keys", head("In") + keys.joined()),
        ]
    }

    private static func head(_ second: String) -> String {
        "| Setting | \(second) | Values | Default | |\n|---|---|---|---|---|\n"
    }

    private static func row(_ setting: Setting, _ place: String) -> String {
        let list = setting.isList ? "list of " : ""
        return "| `\(setting.name)` | \(place) | \(list)\(setting.kind.word) | "
            + "\(setting.defaultText ?? "") | \(setting.help) |\n"
    }
}
