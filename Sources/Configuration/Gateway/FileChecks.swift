internal import Foundation
internal import Gateway
internal import HTTPTransport

/// What can be said of files before anything starts. Only reads.
enum FileChecks {
    /// The first bytes of a GGUF file.
    private static let modelMagic = Data("GGUF".utf8)

    static func checkListener(_ values: SettingValues, _ problems: inout ConfigurationErrors) {
        if let certificate = values.text(.tlsCertificate), let key = values.text(.tlsKey) {
            checkPair(
                certificate, values.source(of: .tlsCertificate), key, values.source(of: .tlsKey),
                &problems)
        }
        if let path = values.text(.licenseKeyFile) {
            let source = values.source(of: .licenseKeyFile)
            if let data = read(path, source, &problems), !License.areKeys(Array(data)) {
                problems.add(source, "\(path): it holds no Ed25519 key as a JWK")
            }
        }
        for setting in [Setting.apiKeyFile, .adminTokenFile] {
            guard let path = values.text(setting) else { continue }
            checkKeys(path, values.source(of: setting), &problems)
        }
    }

    static func checkLink(
        _ values: SettingValues, authority: Setting, certificate: Setting, key: Setting,
        token: Setting, _ problems: inout ConfigurationErrors
    ) {
        if let path = values.text(authority) {
            let source = values.source(of: authority)
            if let data = read(path, source, &problems),
                !String(decoding: data, as: UTF8.self).contains("-----BEGIN CERTIFICATE-----")
            {
                problems.add(source, "\(path): no certificate in it")
            }
        }
        if let chainPath = values.text(certificate), let keyPath = values.text(key) {
            checkPair(
                chainPath, values.source(of: certificate), keyPath, values.source(of: key),
                &problems)
        }
        if let path = values.text(token) {
            let source = values.source(of: token)
            if let data = read(path, source, &problems),
                data.prefix(while: { $0 != UInt8(ascii: "\n") }).allSatisfy({ $0 <= 0x20 })
            {
                problems.add(source, "\(path): its first line has no token")
            }
        }
    }

    /// A vocabulary-only file is a GGUF file too; whether it is whole is seen when it is opened.
    static func checkModel(
        _ path: String, _ source: ValueSource, _ problems: inout ConfigurationErrors
    ) {
        guard isFile(path), let file = FileHandle(forReadingAtPath: path) else {
            problems.add(source, "cannot read \(path)")
            return
        }
        defer { try? file.close() }  // Nothing was written.
        guard let start = try? file.read(upToCount: modelMagic.count), start == modelMagic else {
            problems.add(source, "\(path) is not a GGUF file")
            return
        }
    }

    static func checkReadable(
        _ path: String, _ source: ValueSource, _ problems: inout ConfigurationErrors
    ) {
        _ = read(path, source, &problems)
    }

    private static func checkKeys(
        _ path: String, _ source: ValueSource, _ problems: inout ConfigurationErrors
    ) {
        do {
            _ = try APIKeys(path: path)
        } catch {
            problems.add(source, error.reason)
        }
    }

    private static func checkPair(
        _ certificate: String, _ certificateSource: ValueSource, _ key: String,
        _ keySource: ValueSource, _ problems: inout ConfigurationErrors
    ) {
        do {
            _ = try TLSServerContext(
                TLSFiles(certificateChainPath: certificate, privateKeyPath: key))
        } catch {
            switch error {
            case .certificate(let path, let reason):
                problems.add(certificateSource, "\(path): not a certificate chain: \(reason)")
            case .privateKey(let path, let reason):
                problems.add(keySource, "\(path): not a private key: \(reason)")
            case .pair(let certificate, let key, let reason):
                problems.add(
                    keySource, "\(key) is not the key of \(certificate): \(reason)")
            default:
                problems.add(certificateSource, "\(error)")
            }
        }
    }

    private static func read(
        _ path: String, _ source: ValueSource, _ problems: inout ConfigurationErrors
    ) -> Data? {
        guard isFile(path), let data = FileManager.default.contents(atPath: path) else {
            problems.add(source, "cannot read \(path)")
            return nil
        }
        return data
    }

    /// Also a link to one; a folder is none.
    private static func isFile(_ path: String) -> Bool {
        // No values: it is not there.
        let values = try? URL(fileURLWithPath: path).resolvingSymlinksInPath()
            .resourceValues(forKeys: [.isRegularFileKey])
        return values?.isRegularFile ?? false
    }
}
