/// Why a key or a token is not taken.
package enum LicensingError: Error, Hashable, CustomStringConvertible {
    /// Not an Ed25519 key as RFC 8037 §2 has it.
    case badKey
    /// Not three parts of base64url, or its header is no header.
    case malformed
    /// Another algorithm, or a header that must be understood and is not.
    case unsupported
    /// None of the keys has its name.
    case unknownKey
    case badSignature

    package var description: String {
        switch self {
        case .badKey: "it holds no Ed25519 key as a JWK"
        case .malformed: "it is no signed token"
        case .unsupported: "it is not signed with EdDSA alone"
        case .unknownKey: "it was signed with a key that is not known here"
        case .badSignature: "its signature is wrong"
        }
    }
}
