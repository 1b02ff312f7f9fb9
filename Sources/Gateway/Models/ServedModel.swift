import EngineProtocol
import Foundation
import InferenceTypes
import Tokenization

/// One model that this gateway serves. Immutable.
struct ServedModel: Sendable {
    let name: String
    /// Unix seconds at which the gateway opened it.
    let created: Int
    /// Names the model and its vocabulary in answers (`system_fingerprint`).
    let fingerprint: String
    /// Whether embeddings may be asked of it.
    let embeds: Bool
    /// Nil for a model whose workers take text.
    let tokenizer: ModelTokenizer?

    /// Reads vocabulary and template; takes a tenth of a second.
    init(_ settings: ModelSettings, created: Int) throws(ModelError) {
        name = settings.name
        embeds = settings.embeds
        self.created = created
        tokenizer = try settings.path.map { path throws(ModelError) in
            try ModelTokenizer(path: path, templatePath: settings.templatePath)
        }
        fingerprint = Self.fingerprint(tokenizer?.identity ?? settings.name)
    }

    /// Why a worker that says this of itself cannot serve this model; nil when it can.
    func mismatch(with model: EngineModelInfo) -> String? {
        guard let size = tokenizer?.vocabulary.size, model.vocabularySize != size else {
            return nil
        }
        return "its vocabulary has \(model.vocabularySize) tokens, ours \(size)"
    }

    /// Stable between processes: FNV-1a over what identifies the model.
    private static func fingerprint(_ identity: String) -> String {
        let text = String(SeededGenerator.mix(StableHash.of(identity)) >> 24, radix: 16)
        return "fp_" + String(repeating: "0", count: max(0, 10 - text.count)) + text
    }
}

/// What turns a model's messages into token ids and back. Immutable.
struct ModelTokenizer: Sendable {
    let vocabulary: Vocabulary
    let template: ChatTemplate
    /// Prompt and completion together: what the model was trained on.
    var contextTokens: Int { vocabulary.contextLength }

    fileprivate var identity: String {
        "\(vocabulary.name)/\(vocabulary.architecture)/\(vocabulary.size)"
    }

    init(path: String, templatePath: String?) throws(ModelError) {
        let source = try templatePath.map { path throws(ModelError) in
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                throw .templateUnreadable(path: path)
            }
            return text
        }
        do {
            vocabulary = try Vocabulary(path: path)
            template = try ChatTemplate(vocabulary: vocabulary, override: source)
        } catch {
            throw .unusable(error)
        }
    }
}

/// Why a model cannot be served.
enum ModelError: Error, CustomStringConvertible {
    case unusable(TokenizationError)
    case templateUnreadable(path: String)

    var description: String {
        switch self {
        case .unusable(let error): "\(error)"
        case .templateUnreadable(let path): "the template \(path) cannot be read as UTF-8"
        }
    }
}

/// FNV-1a: the same in every process, unlike the standard library's hashes.
enum StableHash {
    static func of(_ text: String, _ more: String...) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for part in [text] + more {
            for byte in part.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            // So that ("a", "bc") and ("ab", "c") differ: no UTF-8 text has this byte.
            hash = (hash ^ 0xFF) &* 0x100_0000_01B3
        }
        return hash
    }
}
