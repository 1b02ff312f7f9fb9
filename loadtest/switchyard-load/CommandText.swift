/// The command line as reports have it.
enum CommandText {
    /// Without the values of --header, which may be keys: reports are passed on.
    static func redacted(_ arguments: [String]) -> String {
        var words: [String] = []
        var isHeader = false
        for argument in arguments {
            if isHeader {
                words.append(name(argument))
            } else if argument.hasPrefix("--header=") {
                words.append("--header=" + name(argument.dropFirst("--header=".count)))
            } else {
                words.append(argument)
            }
            isHeader = !isHeader && argument == "--header"
        }
        return words.joined(separator: " ")
    }

    private static func name(_ header: some StringProtocol) -> String {
        header.firstIndex(of: ":").map { "\(header[..<$0]):..." } ?? "..."
    }
}
