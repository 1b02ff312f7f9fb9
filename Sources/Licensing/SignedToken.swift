internal import Foundation

/// A payload signed with Ed25519, as a JWT in compact form (RFC 7519, RFC 7515 §3.1, RFC 8037
/// §3.1): `EdDSA` and nothing else, so that no token can choose how it is looked at (RFC 8725
/// §3.1).
package enum SignedToken {
    /// Longest token that is looked at.
    package static let bytesLimit = 65_536

    private struct Header: Codable {
        var alg: String
        var typ: String?
        var kid: String?
        var crit: [String]?
    }

    private static let algorithm = "EdDSA"

    /// - Parameter payload: a JSON object.
    package static func sign(_ payload: [UInt8], with key: SigningKey) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let header = try encoder.encode(
            Header(alg: algorithm, typ: "JWT", kid: key.publicKey.id, crit: nil))
        let text = Base64URL.encode(header) + "." + Base64URL.encode(payload)
        return text + "." + Base64URL.encode(try key.sign(Array(text.utf8)))
    }

    /// The payload of a token that one of the keys has signed.
    package static func verify(
        _ token: String, with keys: [VerifyingKey]
    ) throws(LicensingError) -> [UInt8] {
        let (header, payload, signature, signed) = try parts(token)
        guard header.alg == algorithm, header.crit == nil else { throw .unsupported }
        let candidates = keys.filter { header.kid == nil || $0.id == header.kid }
        guard !candidates.isEmpty else { throw .unknownKey }
        guard candidates.contains(where: { $0.isValid(signature, for: signed) }) else {
            throw .badSignature
        }
        return payload
    }

    /// What a token says, whoever has signed it.
    package static func unverifiedPayload(_ token: String) throws(LicensingError) -> [UInt8] {
        try parts(token).payload
    }

    private static func parts(
        _ token: String
    ) throws(LicensingError) -> (
        header: Header, payload: [UInt8], signature: [UInt8], signed: [UInt8]
    ) {
        guard token.utf8.count <= bytesLimit else { throw .malformed }
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let head = Base64URL.decode(parts[0]),
            let header = try? JSONDecoder().decode(Header.self, from: Data(head)),
            let payload = Base64URL.decode(parts[1]), let signature = Base64URL.decode(parts[2])
        else { throw .malformed }
        return (header, payload, signature, Array("\(parts[0]).\(parts[1])".utf8))
    }
}
