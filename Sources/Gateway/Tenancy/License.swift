import Foundation
import InferenceAPI
package import Licensing
package import Storage

/// What a licensee is entitled to, as the licensor has signed it: the claims of a JWT (RFC 7519
/// §4.1). It is checked without a network, against public keys that the gateway's operator has.
package struct License: Codable, Hashable, Sendable {
    /// Who issued it.
    package var iss: String?
    /// The tenant.
    package var sub: String
    /// The tenant's, for people.
    package var name: String?
    /// Unix seconds: when it was issued, from when on it is good, and when it ends.
    package var iat: Int64
    package var nbf: Int64?
    package var exp: Int64
    package var jti: String
    /// All but the end.
    package var terms: Terms

    package enum Failure: Error, CustomStringConvertible {
        case licensing(LicensingError)
        case notALicense
        case terms(String)
        case notYet(from: Int64)
        case expired(at: Int64)

        package var description: String {
            switch self {
            case .licensing(let error): "\(error)"
            case .notALicense: "its claims are not those of a licence"
            case .terms(let reason): "its terms: \(reason)"
            case .notYet(let time): "it begins at \(Self.text(time))"
            case .expired(let time): "it ended at \(Self.text(time))"
            }
        }

        private static func text(_ seconds: Int64) -> String {
            Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
        }
    }

    /// A licence from now on.
    ///
    /// - Parameter body: terms as the admin API takes them, `name` and `expires` among them.
    package init(
        tenant: String, issuer: String?, _ body: [UInt8], now: Int64
    ) throws(Failure) {
        do throws(APIError) {
            var body = try TermsBody(body)
            name = try body.text("name")
            terms = try body.terms(isKey: false)
            try TenancyOperations.checkID(tenant)
        } catch {
            throw .terms(error.message)
        }
        guard let expires = terms.expires else { throw .terms("expires is missing") }
        terms.expires = nil
        (iss, sub, iat, exp) = (issuer, tenant, now, expires)
        var generator = SystemRandomNumberGenerator()
        jti = Identifier.request((generator.next(), generator.next()))
    }

    package func signed(with key: SigningKey) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return try SignedToken.sign(Array(encoder.encode(self)), with: key)
    }

    /// A licence that is good now.
    ///
    /// - Parameter now: Unix seconds.
    package init(_ token: String, keys: [VerifyingKey], now: Int64) throws(Failure) {
        let payload: [UInt8]
        do throws(LicensingError) {
            payload = try SignedToken.verify(token, with: keys)
        } catch {
            throw .licensing(error)
        }
        try self.init(claims: payload)
        guard now >= nbf ?? 0 else { throw .notYet(from: nbf ?? 0) }
        guard now < exp else { throw .expired(at: exp) }
    }

    /// What a token says, whoever has signed it and whenever it ends.
    package init(unverified token: String) throws(Failure) {
        let payload: [UInt8]
        do throws(LicensingError) {
            payload = try SignedToken.unverifiedPayload(token)
        } catch {
            throw .licensing(error)
        }
        try self.init(claims: payload)
    }

    private init(claims: [UInt8]) throws(Failure) {
        guard let license = try? JSONDecoder().decode(License.self, from: Data(claims)) else {
            throw .notALicense
        }
        self = license
        do throws(APIError) {
            // A term that this version does not know would not hold: better none than less.
            let object = try? JSONSerialization.jsonObject(with: Data(claims)) as? [String: Any]
            let known = try? JSONSerialization.data(withJSONObject: object?["terms"] ?? [:])
            _ = try TermsBody(Array(known ?? Data())).terms(isKey: false)
            try TenancyOperations.checkID(sub)
        } catch {
            throw .terms(error.message)
        }
    }

    /// Terms with the licence's end.
    var wholeTerms: Terms {
        var whole = terms
        whole.expires = exp
        return whole
    }
}
