internal import Yams

/// The text of a configuration file, as nodes with their places.
///
/// The parser ends at the first mapping with a doubled key and does not say where the second is. So
/// that all of a file's problems are told at once, the first letter of such a key's first
/// occurrence is masked by a letter of a private plane, and the text parsed again; `key(_:)`
/// undoes that.
struct YAMLText {
    /// Doubled keys that are unmasked; the next ends the parse.
    private static let maskLimit = 100
    /// The first of Unicode's plane 15, private use.
    private static let maskBase: UInt32 = 0xF0000

    struct Failure: Error {
        var line: Int
        var column: Int
        var message: String
    }

    /// Nil for an empty file.
    private(set) var root: Node?
    /// What each masking letter stands for.
    private var masked: [Unicode.Scalar] = []
    private var lines: [[Unicode.Scalar]]

    init(_ text: String) throws(Failure) {
        lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
            .map(Array.init)
        var text = text
        while true {
            do {
                root = try Yams.Parser(yaml: text, encoding: .utf8).singleRoot()
                return
            } catch let error as YamlError {
                guard case .duplicatedKeysInMapping(_, let context) = error, mask(context.mark)
                else { throw Self.failure(error) }
                var joined = String.UnicodeScalarView()
                for (index, line) in lines.enumerated() {
                    if index > 0 { joined.append("\n") }
                    joined.append(contentsOf: line)
                }
                text = String(joined)
            } catch {
                throw Failure(line: 1, column: 1, message: "\(error)")
            }
        }
    }

    /// A key as it stands in the file.
    func key(_ text: String) -> String {
        guard !masked.isEmpty else { return text }
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let index = Int(scalar.value) - Int(Self.maskBase)
            scalars.append(masked.indices.contains(index) ? masked[index] : scalar)
        }
        return String(scalars)
    }

    /// False when the key is not plainly there: it has an anchor, say, or was masked before.
    private mutating func mask(_ mark: Mark) -> Bool {
        guard masked.count < Self.maskLimit, lines.indices.contains(mark.line - 1),
            let mask = Unicode.Scalar(Self.maskBase + UInt32(masked.count))
        else { return false }
        let line = lines[mark.line - 1]
        var column = mark.column - 1
        // Behind the quote of a quoted key.
        if line.indices.contains(column), line[column] == "\"" || line[column] == "'" {
            column += 1
        }
        guard line.indices.contains(column), line[column].properties.isAlphabetic else {
            return false
        }
        masked.append(line[column])
        lines[mark.line - 1][column] = mask
        return true
    }

    private static func failure(_ error: YamlError) -> Failure {
        switch error {
        case .scanner(let context, let problem, let mark, _),
            .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let words = [problem, context?.text].compactMap(\.self).joined(separator: " ")
            return Failure(line: mark.line, column: mark.column, message: words)
        case .duplicatedKeysInMapping(let keys, let context):
            return Failure(
                line: context.mark.line, column: context.mark.column,
                message: "key \"\(keys.first ?? "")\" is given twice")
        case .reader(let problem, let offset, _, let yaml):
            let before = yaml.prefix(offset ?? 0)
            let line = before.split(separator: "\n", omittingEmptySubsequences: false)
            return Failure(
                line: max(1, line.count), column: (line.last?.unicodeScalars.count ?? 0) + 1,
                message: problem)
        default:
            return Failure(line: 1, column: 1, message: "\(error)")
        }
    }
}
