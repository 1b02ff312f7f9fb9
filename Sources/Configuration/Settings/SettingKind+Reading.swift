internal import Gateway
internal import HTTPTransport

extension SettingKind {
    /// One value from its text; nil when it is none. Elements of lists are read one by one.
    func value(of text: String) -> SettingValue? {
        guard text.utf8.count <= Self.textLimitBytes else { return nil }
        switch self {
        case .text:
            return Self.isPrintable(text) ? .text(text) : nil
        case .path:
            return text.isEmpty || !Self.isPrintable(text) ? nil : .text(text)
        case .integer(let range):
            guard let number = Int(text), range.contains(number) else { return nil }
            return .integer(number)
        case .number(let range):
            guard let number = Double(text), number.isFinite, range.contains(number) else {
                return nil
            }
            return .number(number)
        case .word(let words):
            return words.contains(text) ? .text(text) : nil
        case .toggle:
            return text == "true" ? .toggle(true) : text == "false" ? .toggle(false) : nil
        case .address:
            return HTTPEndpoint(text: text) == nil ? nil : .text(text)
        case .upstream:
            return UpstreamAddress(text: text) == nil ? nil : .text(text)
        case .workerAddress:
            let isAddress = UpstreamAddress(text: text) != nil || HTTPEndpoint(text: text) != nil
            return isAddress ? .text(text) : nil
        case .hostPort:
            if case .tcp? = HTTPEndpoint(text: text) { return .text(text) }
            return nil
        case .addressRule:
            return WorkerAddressRule(text) == nil ? nil : .text(text)
        case .label:
            return Self.isLabel(text) ? .text(text) : nil
        }
    }

    /// What `value(of:)` accepts, for "expected …, not …".
    var expectation: String {
        switch self {
        case .text: "text of at most \(Self.textLimitBytes) bytes without control characters"
        case .path: "a path"
        case .integer(let range):
            range.upperBound == .max
                ? "an integer of at least \(range.lowerBound)"
                : "an integer from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range):
            "a number from \(SettingValue.number(range.lowerBound).text) "
                + "to \(SettingValue.number(range.upperBound).text)"
        case .word(let words): "one of \(words.joined(separator: ", "))"
        case .toggle: "true or false"
        case .address: "unix:/path or host:port"
        case .upstream: "http://host:port, https://host or h2c://host:port"
        case .workerAddress: "unix:/path, host:port, or http://host:port for kind openai"
        case .hostPort: "host:port"
        case .addressRule: "an address, a network (10.1.0.0/16), a name or unix:/directory/"
        case .label:
            "at most \(Self.labelLimitBytes) letters, digits, '.', '_' or '-', no '.' first"
        }
    }

    /// What `expectation` says, in a word for a table.
    package var word: String {
        switch self {
        case .text: "text"
        case .path: "path"
        case .integer(let range):
            range.upperBound == .max
                ? "\(range.lowerBound) or more" : "\(range.lowerBound) to \(range.upperBound)"
        case .number(let range):
            "\(SettingValue.number(range.lowerBound).text) to "
                + SettingValue.number(range.upperBound).text
        case .word(let words): words.joined(separator: ", ")
        case .toggle: "true, false"
        case .address: "unix:/path, host:port"
        case .upstream: "http://host:port, https://host, h2c://host:port"
        case .workerAddress: "unix:/path, host:port; kind openai: http://host:port"
        case .hostPort: "host:port"
        case .addressRule: "address, network, name, unix:/directory/"
        case .label: "name"
        }
    }

    /// Whether a quoted scalar of a file can be a value: numbers and truth values are not text.
    var isText: Bool {
        switch self {
        case .integer, .number, .toggle: false
        default: true
        }
    }

    private static func isPrintable(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
    }

    private static func isLabel(_ text: String) -> Bool {
        (1...labelLimitBytes).contains(text.utf8.count) && !text.hasPrefix(".")
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
