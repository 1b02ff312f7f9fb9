import EngineProtocol
import InferenceAPI
import InferenceTypes
import NIOCore
import Tokenization

/// The model that this gateway serves: its names, vocabulary and chat template. Immutable.
struct ServedModel: Sendable {
    let name: String
    let aliases: [String]
    let vocabulary: Vocabulary
    let template: ChatTemplate
    /// Unix seconds at which the gateway opened it.
    let created: Int
    /// Names the model and its vocabulary in answers (`system_fingerprint`).
    let fingerprint: String
    /// Prompt and completion together: what the model was trained on.
    let contextTokens: Int
    let list: ModelList
    /// The answer to `GET /v1/models`.
    let listBody: ByteBuffer

    init(
        path: String, name: String?, aliases: [String], created: Int
    ) throws(TokenizationError) {
        let vocabulary = try Vocabulary(path: path)
        self.vocabulary = vocabulary
        self.template = try ChatTemplate(vocabulary: vocabulary)
        self.name = name ?? ModelName.ofFile(path)
        self.aliases = aliases
        self.created = created
        self.contextTokens = vocabulary.contextLength
        self.list = ModelList([
            ModelDescription(
                id: self.name, aliases: aliases, created: created, ownedBy: "switchyard")
        ])
        var body = ByteBuffer()
        self.list.write(into: &body)
        self.listBody = body
        self.fingerprint = Self.fingerprint(vocabulary)
    }

    func answers(to name: String) -> Bool {
        name == self.name || aliases.contains(name)
    }

    /// Why a worker that says this of itself cannot serve this model; nil when it can.
    func mismatch(with model: EngineModelInfo) -> String? {
        guard model.vocabularySize == vocabulary.size else {
            return "its vocabulary has \(model.vocabularySize) tokens, ours \(vocabulary.size)"
        }
        return nil
    }

    /// Stable between processes: FNV-1a over what identifies the model.
    private static func fingerprint(_ vocabulary: Vocabulary) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        let identity = "\(vocabulary.name)/\(vocabulary.architecture)/\(vocabulary.size)"
        for byte in identity.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let text = String(SeededGenerator.mix(hash) >> 24, radix: 16)
        return "fp_" + String(repeating: "0", count: max(0, 10 - text.count)) + text
    }
}
