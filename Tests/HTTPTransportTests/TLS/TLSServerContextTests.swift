import Foundation
import Testing

@testable import HTTPTransport

@Suite struct TLSServerContextTests {
    private let directory =
        FileManager.default.temporaryDirectory.path
        + "/switchyard-tls-\(UUID().uuidString)"

    @Test func makesACertificateOnceAndKeepsTheKeyPrivate() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let files = try SelfSignedCertificate.files(in: directory)
        let attributes = try FileManager.default.attributesOfItem(atPath: files.privateKeyPath)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let folder = try FileManager.default.attributesOfItem(atPath: directory)
        #expect(folder[.posixPermissions] as? Int == 0o700)
        let first = FileManager.default.contents(atPath: files.certificateChainPath)
        #expect(try SelfSignedCertificate.files(in: directory) == files)
        #expect(FileManager.default.contents(atPath: files.certificateChainPath) == first)
        // A damaged pair is made again.
        try Data("x".utf8).write(to: URL(fileURLWithPath: files.privateKeyPath))
        _ = try SelfSignedCertificate.files(in: directory)
        #expect(FileManager.default.contents(atPath: files.certificateChainPath) != first)
        let context = try TLSServerContext(files)
        let before = context.current
        try context.reload()
        #expect(context.current !== before)
    }

    @Test func saysWhichFileIsWrong() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let other = directory + "-other"
        defer { try? FileManager.default.removeItem(atPath: other) }
        let files = try SelfSignedCertificate.files(in: directory)
        let others = try SelfSignedCertificate.files(in: other)
        func failure(_ files: TLSFiles) -> TLSError? {
            do throws(TLSError) {
                _ = try TLSServerContext(files)
                return nil
            } catch {
                return error
            }
        }
        var wrong = files
        wrong.certificateChainPath = directory + "/none.pem"
        guard case .certificate(let path, _)? = failure(wrong) else {
            Issue.record("no certificate error")
            return
        }
        #expect(path == wrong.certificateChainPath)
        wrong = files
        wrong.privateKeyPath = files.certificateChainPath
        guard case .privateKey? = failure(wrong) else {
            Issue.record("no key error")
            return
        }
        wrong.privateKeyPath = others.privateKeyPath
        guard case .pair? = failure(wrong) else {
            Issue.record("no error for a key of another certificate")
            return
        }

        // A failed reload keeps what was there.
        let context = try TLSServerContext(files)
        let before = context.current
        try FileManager.default.removeItem(atPath: files.certificateChainPath)
        #expect(throws: TLSError.self) { try context.reload() }
        #expect(context.current === before)
    }
}
