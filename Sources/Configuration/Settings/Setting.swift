/// One setting: everything that flags, environment, file, help and documentation say of it.
///
/// `name` is the key in a file and, behind two dashes, the flag; `environmentName` is its twin.
package struct Setting: Hashable, Sendable {
    package let name: String
    package let kind: SettingKind
    /// May be given several times; comma separated in the environment.
    package let isList: Bool
    /// Nil: the setting may stay unset.
    package let fallback: SettingValue?
    /// One or two sentences, without the default.
    package let help: String
    /// What happens without it, where that is not a constant.
    package let unset: String?
    /// Its values may begin with dashes.
    package let takesDashes: Bool
    /// A variable that other programs share, read when our own is not set.
    package let sharedVariable: String?

    init(
        _ name: String, _ kind: SettingKind, isList: Bool = false,
        default fallback: SettingValue? = nil, unset: String? = nil, takesDashes: Bool = false,
        sharedVariable: String? = nil, _ help: String
    ) {
        self.name = name
        self.kind = kind
        self.isList = isList
        self.fallback = fallback
        self.unset = unset
        self.takesDashes = takesDashes
        self.sharedVariable = sharedVariable
        self.help = help
    }

    /// `SWITCHYARD_ADMIN_PORT` for `admin-port`.
    package var environmentName: String { Self.environmentPrefix + environmentSuffix }

    package static let environmentPrefix = "SWITCHYARD_"

    private var environmentSuffix: String {
        String(name.map { $0 == "-" ? "_" : Character($0.uppercased()) })
    }

    /// The default in words; nil when there is none worth a word.
    package var defaultText: String? {
        if let unset { return unset }
        switch fallback {
        case .toggle(false), nil: return nil
        case .list(let values): return values.isEmpty ? nil : values.joined(separator: ",")
        case let value?: return value.text
        }
    }

    /// Without a default: for where absence means that something else decides.
    var optional: Setting {
        Setting(
            name, kind, isList: isList, unset: unset, takesDashes: takesDashes,
            sharedVariable: sharedVariable, help)
    }
}

/// What a setting's value may be.
package enum SettingKind: Hashable, Sendable {
    case text
    /// A file or folder. In a configuration file it is relative to that file's folder; `-` stays.
    case path
    case integer(ClosedRange<Int>)
    case number(ClosedRange<Double>)
    case word([String])
    /// Given or not; `true` or `false` in the environment and in files.
    case toggle
    /// `unix:/path` or `host:port`.
    case address
    /// An OpenAI-compatible server: `http://host:port`, `https://host` or `h2c://host:port`.
    case upstream
    /// Either of both: which one it must be, depends on the kind of the pool.
    case workerAddress
    /// A name or address and a port.
    case hostPort
    /// Where workers may be that register: an address, a network, a name, or unix:/directory/.
    case addressRule
    /// A name that can be part of a path or an address.
    case label

    /// Longest label, in bytes.
    static let labelLimitBytes = 32
    /// Longest text, in bytes.
    static let textLimitBytes = 4_096
}

/// A value of a setting.
package enum SettingValue: Hashable, Sendable {
    case text(String)
    case integer(Int)
    case number(Double)
    case toggle(Bool)
    case list([String])

    /// As people would type it.
    package var text: String {
        switch self {
        case .text(let text): text
        case .integer(let number): "\(number)"
        case .number(let number): Self.text(of: number)
        case .toggle(let isOn): "\(isOn)"
        case .list(let values): values.joined(separator: ",")
        }
    }

    private static func text(of number: Double) -> String {
        number == number.rounded() && abs(number) < 1e15 ? "\(Int(number))" : "\(number)"
    }
}
