import Foundation
import HTTPTransport

/// An authority and the certificates it gives out, made by the `openssl` command in a folder of its
/// own.
struct Certificates: Sendable {
    let folder: String
    var authority: String { "\(folder)/ca.pem" }

    init() throws {
        folder = NSTemporaryDirectory() + "sy-ca-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try openssl(
            ["req", "-x509"] + Self.newKey + [
                "-days", "2", "-subj", "/CN=authority", "-addext",
                "basicConstraints=critical,CA:TRUE", "-keyout", "ca.key", "-out", "ca.pem",
            ])
    }

    /// A certificate for some names, good for `days` from now.
    func issue(
        _ name: String, for names: String = "IP:127.0.0.1", days: Int = 2
    ) throws -> TLSFiles {
        try openssl(
            ["req", "-new"] + Self.newKey + [
                "-subj", "/CN=\(name)", "-addext", "subjectAltName=\(names)",
                "-keyout", "\(name).key", "-out", "\(name).csr",
            ])
        try openssl([
            "x509", "-req", "-in", "\(name).csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "\(days)", "-copy_extensions", "copy",
            "-out", "\(name).pem",
        ])
        return TLSFiles(
            certificateChainPath: "\(folder)/\(name).pem",
            privateKeyPath: "\(folder)/\(name).key")
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    private static let newKey = [
        "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256",
    ]

    private struct Failed: Error { let said: String }

    private func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        let output = Pipe()
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let said = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failed(said: String(decoding: said, as: UTF8.self))
        }
    }
}

extension TLSFiles {
    /// Puts another pair in this one's place.
    func replace(with other: TLSFiles) throws {
        for (from, to) in [
            (other.certificateChainPath, certificateChainPath),
            (other.privateKeyPath, privateKeyPath),
        ] {
            try Data(contentsOf: URL(fileURLWithPath: from)).write(to: URL(fileURLWithPath: to))
        }
    }
}
