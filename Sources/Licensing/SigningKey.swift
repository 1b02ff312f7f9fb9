internal import Crypto
internal import Foundation

/// An Ed25519 key as a JWK (RFC 8037 §2), with or without its private part.
private struct JWK: Codable {
    var kty: String
    var crv: String
    var x: String
    var d: String?
    var kid: String?

    static let type = "OKP"
    static let curve = "Ed25519"
}

/// A JWK set (RFC 7517 §5).
private struct JWKSet: Codable {
    var keys: [JWK]
}

/// The key that licences are signed with (RFC 8032). Never leaves its file but in memory.
package struct SigningKey: Sendable {
    private let key: Curve25519.Signing.PrivateKey

    package init() {
        key = Curve25519.Signing.PrivateKey()
    }

    package init(jwk: [UInt8]) throws(LicensingError) {
        guard let jwk = try? JSONDecoder().decode(JWK.self, from: Data(jwk)),
            jwk.kty == JWK.type, jwk.crv == JWK.curve,
            let bytes = jwk.d.flatMap({ Base64URL.decode($0) }),
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes),
            Base64URL.decode(jwk.x) == Array(key.publicKey.rawRepresentation)
        else { throw .badKey }
        self.key = key
    }

    package var publicKey: VerifyingKey { VerifyingKey(key.publicKey) }

    /// With the private part.
    package var jwk: [UInt8] {
        publicKey.encoded(privatePart: Base64URL.encode(key.rawRepresentation))
    }

    func sign(_ bytes: [UInt8]) throws -> [UInt8] {
        Array(try key.signature(for: bytes))
    }
}

/// What licences are verified with.
package struct VerifyingKey: Sendable {
    private let key: Curve25519.Signing.PublicKey

    fileprivate init(_ key: Curve25519.Signing.PublicKey) {
        self.key = key
    }

    fileprivate init(_ jwk: JWK) throws(LicensingError) {
        guard jwk.kty == JWK.type, jwk.crv == JWK.curve, let bytes = Base64URL.decode(jwk.x),
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes)
        else { throw .badKey }
        self.key = key
    }

    /// The keys of a file: a JWK or a set of them. Private parts are not looked at.
    package static func all(in json: [UInt8]) throws(LicensingError) -> [VerifyingKey] {
        let decoder = JSONDecoder()
        if let set = try? decoder.decode(JWKSet.self, from: Data(json)), !set.keys.isEmpty {
            return try set.keys.map { jwk throws(LicensingError) in try VerifyingKey(jwk) }
        }
        guard let jwk = try? decoder.decode(JWK.self, from: Data(json)) else { throw .badKey }
        return [try VerifyingKey(jwk)]
    }

    /// Its thumbprint (RFC 7638 §3; RFC 8037 §2 for the members).
    package var id: String {
        let x = Base64URL.encode(key.rawRepresentation)
        let members = #"{"crv":"\#(JWK.curve)","kty":"\#(JWK.type)","x":"\#(x)"}"#
        return Base64URL.encode(SHA256.hash(data: Array(members.utf8)))
    }

    package var jwk: [UInt8] { encoded(privatePart: nil) }

    fileprivate func encoded(privatePart: String?) -> [UInt8] {
        let jwk = JWK(
            kty: JWK.type, crv: JWK.curve, x: Base64URL.encode(key.rawRepresentation),
            d: privatePart, kid: id)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        guard let data = try? encoder.encode(jwk) else {
            preconditionFailure("five strings are always JSON")
        }
        return Array(data) + [UInt8(ascii: "\n")]
    }

    func isValid(_ signature: [UInt8], for bytes: [UInt8]) -> Bool {
        key.isValidSignature(signature, for: bytes)
    }
}
