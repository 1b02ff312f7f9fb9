import ArgumentParser
import Configuration

/// Names a program whose flags `SettingFlags` makes.
protocol SettingsProgram: Sendable {
    static var command: SettingsCommand { get }
}

enum ServeProgram: SettingsProgram { static let command = SettingsCommand.serve }
enum RemoteGatewayProgram: SettingsProgram { static let command = SettingsCommand.gateway }
enum WorkerProgram: SettingsProgram { static let command = SettingsCommand.worker }

/// The flags of one program, made of its settings so that they are written once.
///
/// ArgumentParser finds the flags of a type by reflection, and fills them by decoding it: both are
/// answered here from the table, where a type with fixed properties would have them written out.
/// All values are text; `SettingsResolver` reads them.
struct SettingFlags<Program: SettingsProgram>: ParsableArguments, CustomReflectable {
    private enum Argument {
        case one(Option<String?>)
        case several(Option<[String]>)
        case toggle(Flag<Bool>)

        init(_ setting: Setting) {
            let help = ArgumentHelp(
                Self.help(setting), valueName: setting.kind == .path ? "path" : "value")
            let name = NameSpecification.customLong(setting.name)
            self =
                switch setting.kind {
                case .toggle: .toggle(Flag(wrappedValue: false, name: name, help: help))
                case _ where setting.isList:
                    .several(
                        Option(
                            wrappedValue: [], name: name,
                            parsing: setting.takesDashes
                                ? .unconditionalSingleValue : .singleValue, help: help))
                default: .one(Option(name: name, help: help))
                }
        }

        private static func help(_ setting: Setting) -> String {
            var text = setting.help
            if setting.isList { text += " May be given several times." }
            if let words = setting.defaultText { text += " Default: \(words)." }
            return text
        }
    }

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private var arguments: [(setting: Setting, argument: Argument)]

    init() { arguments = Program.command.settings.map { ($0, Argument($0)) } }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        arguments = try Program.command.settings.map { setting in
            let key = Key(stringValue: setting.name)
            let argument: Argument =
                switch Argument(setting) {
                case .one: .one(try container.decode(Option<String?>.self, forKey: key))
                case .several:
                    .several(try container.decode(Option<[String]>.self, forKey: key))
                case .toggle: .toggle(try container.decode(Flag<Bool>.self, forKey: key))
                }
            return (setting, argument)
        }
    }

    var customMirror: Mirror {
        Mirror(
            self,
            children: arguments.map { setting, argument in
                switch argument {
                case .one(let option): (label: setting.name, value: option as Any)
                case .several(let option): (label: setting.name, value: option as Any)
                case .toggle(let flag): (label: setting.name, value: flag as Any)
                }
            })
    }

    /// What was given for each flag, without dashes; `true` for a toggle.
    var given: [String: [String]] {
        var given: [String: [String]] = [:]
        for (setting, argument) in arguments {
            switch argument {
            case .one(let option): given[setting.name] = option.wrappedValue.map { [$0] }
            case .several(let option): given[setting.name] = option.wrappedValue
            case .toggle(let flag): given[setting.name] = flag.wrappedValue ? ["true"] : nil
            }
        }
        return given
    }
}
