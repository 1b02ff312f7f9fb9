import Foundation
import NIOSSL

/// A certificate for development: EC P-256, for localhost and the loopback addresses, made by the
/// `openssl` command. No client trusts it unless told to (`curl -k`).
package enum SelfSignedCertificate {
    /// How long a new one is valid; one with less than a day left is replaced.
    package static let validDays = 365

    /// The pair in `directory`, made if it is not there or about to end. The directory is made
    /// with mode 0700, the key with 0600.
    ///
    /// Waits for a process: call it at the program's start, not on an event loop.
    package static func files(in directory: String) throws(TLSError) -> TLSFiles {
        let files = paths(in: directory)
        if isUsable(files) { return files }
        let manager = FileManager.default
        do {
            try manager.createDirectory(
                atPath: directory, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw .directory(path: directory, reason: "\(error)")
        }
        // Written aside and moved, so that a half-made pair is never found. The key's file exists
        // with its mode before openssl writes into it.
        let freshKey = files.privateKeyPath + ".new"
        let freshCertificate = files.certificateChainPath + ".new"
        // Left over from an interrupted start, if there.
        try? manager.removeItem(atPath: freshKey)
        guard
            manager.createFile(
                atPath: freshKey, contents: nil, attributes: [.posixPermissions: 0o600])
        else {
            throw .directory(path: directory, reason: "cannot write")
        }
        try runOpenSSL(keyPath: freshKey, certificatePath: freshCertificate)
        for (from, to) in [
            (freshKey, files.privateKeyPath), (freshCertificate, files.certificateChainPath),
        ] {
            // Not there on the first run.
            try? manager.removeItem(atPath: to)
            do {
                try manager.moveItem(atPath: from, toPath: to)
            } catch {
                throw .directory(path: directory, reason: "\(error)")
            }
        }
        return files
    }

    /// Where the pair of `directory` lies, or will.
    package static func paths(in directory: String) -> TLSFiles {
        TLSFiles(
            certificateChainPath: directory + "/self-signed.pem",
            privateKeyPath: directory + "/self-signed.key")
    }

    private static func isUsable(_ files: TLSFiles) -> Bool {
        // A pair that cannot be read is simply made again.
        guard (try? TLSServerContext(files)) != nil,
            let chain = try? NIOSSLCertificate.fromPEMFile(files.certificateChainPath),
            let certificate = chain.first
        else { return false }
        return Date().timeIntervalSince1970 + 86_400 < Double(certificate.notValidAfter)
    }

    private static func runOpenSSL(
        keyPath: String, certificatePath: String
    ) throws(TLSError) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-sha256", "-days", "\(validDays)",
            "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1",
            "-keyout", keyPath, "-out", certificatePath,
        ]
        let output = Pipe()
        process.standardError = output
        process.standardOutput = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            throw .opensslMissing
        }
        let said = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        switch process.terminationStatus {
        case 0: return
        case 127: throw .opensslMissing  // env(1): the command was not found.
        case let status:
            throw .opensslFailed(status: status, message: String(decoding: said, as: UTF8.self))
        }
    }
}
