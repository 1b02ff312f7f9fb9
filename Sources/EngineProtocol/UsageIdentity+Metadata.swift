import GRPC
import InferenceTypes

/// `switchyard-usage: ID/CHOICE/N` and who asks.
extension UsageIdentity {
    /// Longest name of anything in it, in bytes.
    private static let nameLimitBytes = 256
    /// Choices of one request at most.
    private static let choicesLimit = 1 << 20

    func write(into metadata: inout GRPCMetadata) {
        metadata.append(
            EngineMetadataKey.usage,
            GRPCStatus.encodeMessage(id) + "/\(choice)/\(choicesPerPrompt)")
        if !application.isEmpty {
            metadata.append(
                EngineMetadataKey.application, GRPCStatus.encodeMessage(application))
        }
        if !keyID.isEmpty {
            metadata.append(EngineMetadataKey.key, GRPCStatus.encodeMessage(keyID))
        }
    }

    /// Nil without `switchyard-usage`.
    init?(_ fields: GRPCMetadata) throws(GRPCStatus) {
        guard let value = fields[EngineMetadataKey.usage] else { return nil }
        // The id may have slashes itself.
        let parts = value.split(separator: "/", omittingEmptySubsequences: false)
        let id = parts.dropLast(2).joined(separator: "/")
        guard parts.count >= 3, !id.isEmpty, id.utf8.count <= Self.nameLimitBytes,
            let choice = Int(parts[parts.count - 2]), let choices = Int(parts[parts.count - 1]),
            (0..<Self.choicesLimit).contains(choice), (1...Self.choicesLimit).contains(choices)
        else { throw .invalid(EngineMetadataKey.usage, "expected ID/CHOICE/N") }
        self.init(
            id: GRPCStatus.decodeMessage(id), choice: choice,
            choicesPerPrompt: choices,
            application: try Self.name(fields, EngineMetadataKey.application),
            keyID: try Self.name(fields, EngineMetadataKey.key))
    }

    private static func name(_ fields: GRPCMetadata, _ key: String) throws(GRPCStatus) -> String {
        guard let value = fields[key] else { return "" }
        guard value.utf8.count <= nameLimitBytes else {
            throw .invalid(key, "longer than \(nameLimitBytes) bytes")
        }
        return GRPCStatus.decodeMessage(value)
    }
}
