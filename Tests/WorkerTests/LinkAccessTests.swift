import EngineProtocol
import Foundation
import GRPC
import HTTPTransport
import Testing

@testable import Worker

/// Who may reach a worker on TCP: real sockets, real certificates.
@Suite(.timeLimit(.minutes(1))) struct LinkAccessTests {
    private static let token = "first-token-0123456789"

    private func start(
        _ certificates: Certificates, _ files: TLSFiles, wantsClients: Bool = false,
        tokenPath: String? = nil, isUnending: Bool = false
    ) async throws -> SimulatedWorker {
        try await SimulatedWorker.start(
            stepTime: .fixed(microseconds: 1_000), isUnending: isUnending
        ) {
            $0.listen = .tcp(host: "127.0.0.1", port: 0)
            $0.tls = .init(
                files: files, clientAuthorityPath: wantsClients ? certificates.authority : nil)
            $0.tokenPath = tokenPath
        }
    }

    private func credentials(
        _ authority: String, _ files: TLSFiles? = nil, name: String? = nil, token: String? = nil
    ) throws -> EngineCredentials {
        let context = try TLSClientContext(authorityPath: authority, files: files)
        return EngineCredentials(tls: HTTPClientTLS(context: context, serverName: name)) {
            token.map { "Bearer \($0)" }
        }
    }

    /// Why no link comes about; nil when the worker answers.
    private func failure(
        _ worker: SimulatedWorker, _ credentials: EngineCredentials
    ) async throws -> String? {
        do {
            let client = try await worker.client(credentials: credentials)
            _ = try await client.ask { $0.modelInfo() }
            try await client.close()
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func aRequestRunsOverMutualTLSAndTheTokenTravelsWithIt() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        let tokens = certificates.folder + "/tokens"
        try "# now\n\(Self.token)\n".write(toFile: tokens, atomically: true, encoding: .utf8)
        let worker = try await start(
            certificates, try certificates.issue("worker"), wantsClients: true, tokenPath: tokens)
        let client = try await worker.client(
            credentials: try credentials(
                certificates.authority, try certificates.issue("gateway"), token: Self.token))
        let request = worker.request(1, tokens: 12)
        #expect(try await client.generate(request).tokens == worker.expected(request))
        try await client.ask { $0.abort(["none"]) }
        #expect(try await client.ask { $0.healthCheck() }.isHealthy)
        await worker.stop()
    }

    @Test func aWorkerThatCannotBeTrustedGetsNoLink() async throws {
        let certificates = try Certificates()
        let others = try Certificates()
        defer {
            certificates.remove()
            others.remove()
        }
        let known = try credentials(certificates.authority)
        for (files, word) in [
            (try others.issue("stranger"), "CERTIFICATE_VERIFY_FAILED"),
            (try certificates.issue("expired", days: -1), "CERTIFICATE_VERIFY_FAILED"),
            (try SelfSignedCertificate.files(in: others.folder), "CERTIFICATE_VERIFY_FAILED"),
            (try certificates.issue("elsewhere", for: "IP:127.0.0.9"), "hostname"),
        ] {
            let worker = try await start(certificates, files)
            let reason = try #require(try await failure(worker, known))
            #expect(reason.lowercased().contains(word.lowercased()), "\(reason)")
            await worker.stop()
        }
        // The name that was asked for counts, not the address.
        let named = try await start(
            certificates, try certificates.issue("named", for: "DNS:worker.test"))
        #expect(
            try await failure(named, credentials(certificates.authority, name: "worker.test"))
                == nil)
        #expect(
            try await failure(named, credentials(certificates.authority, name: "other.test"))
                != nil)
        await named.stop()
    }

    @Test func aGatewayThatCannotBeTrustedGetsNoLink() async throws {
        let certificates = try Certificates()
        let others = try Certificates()
        defer {
            certificates.remove()
            others.remove()
        }
        let worker = try await start(
            certificates, try certificates.issue("worker"), wantsClients: true)
        for files in [
            nil, try others.issue("stranger"), try certificates.issue("expired", days: -1),
        ] {
            let reason = try #require(
                try await failure(worker, credentials(certificates.authority, files)))
            #expect(reason.contains("TLS"), "\(reason)")
        }
        #expect(
            try await failure(
                worker, credentials(certificates.authority, try certificates.issue("gateway")))
                == nil)
        await worker.stop()
    }

    @Test func withAndWithoutTLSDoNotMeet() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        let secure = try await start(certificates, try certificates.issue("worker"))
        // The listener answers with a TLS alert and closes; nothing waits for a time limit.
        let reason = try #require(try await failure(secure, EngineCredentials()))
        #expect(!reason.contains("timeout"), "\(reason)")
        await secure.stop()
        let plain = try await SimulatedWorker.start {
            $0.listen = .tcp(host: "127.0.0.1", port: 0)
        }
        let other = try #require(
            try await failure(plain, credentials(certificates.authority)))
        #expect(other.contains("TLS"), "\(other)")
        await plain.stop()
    }

    @Test func eachCallNeedsAToken() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        let tokens = certificates.folder + "/tokens"
        try "\(Self.token)\nsecond-token-0123456789\n"
            .write(toFile: tokens, atomically: true, encoding: .utf8)
        let worker = try await start(
            certificates, try certificates.issue("worker"), tokenPath: tokens)
        for wrong in [nil, "another-token-0123456", Self.token + "x", "first"] {
            let client = try await worker.client(
                credentials: try credentials(certificates.authority, token: wrong))
            let status = await #expect(throws: GRPCStatus.self) {
                _ = try await client.ask { $0.modelInfo() }
            }
            #expect(status?.code == .unauthenticated)
            let outcome = try await client.generate(worker.request(1, tokens: 2))
            #expect(outcome.failure?.code == .unauthenticated && outcome.tokens.isEmpty)
            try await client.close()
        }
        #expect(
            try await failure(
                worker, credentials(certificates.authority, token: "second-token-0123456789"))
                == nil)
        await worker.stop()
    }

    @Test func aReloadHoldsForNewLinksWhileStreamsGoOn() async throws {
        let certificates = try Certificates()
        let next = try Certificates()
        defer {
            certificates.remove()
            next.remove()
        }
        let files = try certificates.issue("worker")
        let tokens = certificates.folder + "/tokens"
        try Self.token.write(toFile: tokens, atomically: true, encoding: .utf8)
        let worker = try await start(
            certificates, files, tokenPath: tokens, isUnending: true)
        let old = try credentials(certificates.authority, token: Self.token)
        let client = try await worker.client(credentials: old)
        let stream = try await client.start(worker.request(1, tokens: SimulatedWorker.unending))
        try await stream.wait(forTokens: 1)

        // What is broken is not taken over.
        try "short".write(toFile: tokens, atomically: true, encoding: .utf8)
        try files.replace(with: try next.issue("worker"))
        #expect(throws: WorkerError.self) { try worker.runtime.reload() }
        #expect(try await failure(worker, old) == nil)

        try "second-token-0123456789".write(toFile: tokens, atomically: true, encoding: .utf8)
        try worker.runtime.reload()
        #expect(try await failure(worker, old)?.contains("CERTIFICATE_VERIFY_FAILED") == true)
        #expect(
            try await failure(
                worker, credentials(next.authority, token: "second-token-0123456789")) == nil)
        try await stream.wait(forTokens: try await stream.count() + 20)
        // The old link stands, but its token does no more.
        let outcome = try await client.generate(worker.request(2, tokens: 2))
        #expect(outcome.failure?.code == .unauthenticated)
        stream.cancel()
        await worker.stop()
    }

    @Test func whatCannotBeUsedIsRefusedAtTheStart() async throws {
        let none = TLSFiles(certificateChainPath: "/none.pem", privateKeyPath: "/none.key")
        for change: (inout WorkerConfiguration) -> Void in [
            { $0.tls = .init(files: none) },
            { $0.tokenPath = "/none" },
            {
                $0.listen = .tcp(host: "0.0.0.0", port: 0)
                $0.tokenPath = "/none"
            },
        ] {
            await #expect(throws: WorkerError.self) {
                _ = try await SimulatedWorker.start { configuration in
                    configuration.listen = .tcp(host: "127.0.0.1", port: 0)
                    change(&configuration)
                }
            }
        }
        await #expect(
            throws: WorkerError.setting(
                name: "--tls-certificate", value: "given", allowed: "with a TCP address only")
        ) { _ = try await SimulatedWorker.start { $0.tls = .init(files: none) } }
    }
}
