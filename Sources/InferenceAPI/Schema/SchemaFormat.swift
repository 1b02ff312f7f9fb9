/// The values of `format` that are enforced, as patterns: not every string of the format, but none
/// that is not of it.
enum SchemaFormat {
    /// In the order in which errors list them.
    static let names = [
        "date", "time", "date-time", "uuid", "ipv4", "ipv6", "email", "hostname", "uri",
    ]

    static func pattern(_ name: String) -> SchemaPattern? { patterns[name] }

    private static let patterns: [String: SchemaPattern] = {
        var patterns: [String: SchemaPattern] = [:]
        for name in names {
            do {
                patterns[name] = try SchemaPattern(
                    parsing: "^\(source(name))$", limits: SchemaLimits())
            } catch {
                preconditionFailure("format \(name): \(error)")
            }
        }
        return patterns
    }()

    private static func source(_ name: String) -> String {
        switch name {
        case "date": date
        case "time": time
        case "date-time": "(\(date))T\(time)"
        case "uuid": "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
        case "ipv4": "(\(octet)\\.){3}\(octet)"
        case "ipv6": "([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}"
        case "email": "\(letters){1,20}([._+-]\(letters){1,20}){0,2}@\(hostname)"
        case "hostname": hostname
        default: "https?://\(hostname)(:[1-9][0-9]{0,3})?(/[A-Za-z0-9._~-]{0,40}){0,8}"
        }
    }

    /// RFC 3339 §5.6 and appendix C: the days that months have. Years 1000 to 2999.
    private static let date: String = {
        let year = "[12][0-9]{3}"
        let leap = "([12][0-9](0[48]|[2468][048]|[13579][26])|(1[26]|2[048])00)"
        let long = "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])"
        let short = "(0[469]|11)-(0[1-9]|[12][0-9]|30)"
        let february = "02-(0[1-9]|1[0-9]|2[0-8])"
        return "(\(year)-(\(long)|\(short)|\(february))|\(leap)-02-29)"
    }()

    /// Without leap seconds, which are announced.
    private static let time =
        "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?"
        + "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
    private static let octet = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    private static let letters = "[A-Za-z0-9]"
    private static let hostname =
        "\(letters){1,20}(-\(letters){1,20}){0,2}(\\.\(letters){1,20}){0,2}\\.[a-z]{2,10}"
}
