import Foundation
import InferenceAPI
import Licensing
import Storage

extension TenancyOperations {
    /// Makes a licence's tenant, or gives it the licence's terms.
    func importLicense(_ token: String) throws(APIError) -> [UInt8] {
        let license: License
        do throws(License.Failure) {
            license = try License(token, keys: try verifyingKeys(), now: now / 1_000)
        } catch {
            throw APIError(
                .permissionDenied, "The licence is not taken: \(error).", parameter: "license")
        }
        let old: TenantRecord?
        do throws(StorageError) {
            old = try storage.tenant(license.sub)
        } catch {
            guard error == .notFound else { throw APIError(error, thing: "tenant") }
            old = nil
        }
        // Otherwise a licensee could go back to terms that were taken from them.
        if let before = old?.license.flatMap({ try? License(unverified: $0) }),
            before.iat > license.iat
        {
            throw APIError(
                .permissionDenied, "A licence that was issued later is in force.",
                parameter: "license")
        }
        var tenant = old ?? TenantRecord(id: license.sub, name: license.sub, now: now)
        if let name = license.name { tenant.name = try Self.checked(name, "name") }
        tenant.terms = license.wholeTerms
        tenant.license = token
        guard old == nil else { return try update(&tenant) }
        try checkShares(tenant)
        let new = tenant
        try change("tenant") { () throws(StorageError) in try storage.create(new) }
        return try show(tenant)
    }

    private func verifyingKeys() throws(License.Failure) -> [VerifyingKey] {
        guard let path = licenseKeyFile else { throw .licensing(.unknownKey) }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .licensing(.badKey)
        }
        do throws(LicensingError) {
            return try VerifyingKey.all(in: Array(data))
        } catch {
            throw .licensing(error)
        }
    }
}

extension License {
    /// Whether a file's content is public keys.
    package static func areKeys(_ json: [UInt8]) -> Bool {
        (try? VerifyingKey.all(in: json)) != nil
    }
}
