import HTTPTransport
import InferenceAPI
import Testing

@testable import Gateway

@Suite struct UpstreamTests {
    @Test(arguments: [
        ("http://host:8000", UpstreamAddress(scheme: .http, host: "host", port: 8_000)),
        ("http://host:8000/v1", .init(scheme: .http, host: "host", port: 8_000)),
        ("http://host:8000/v1/", .init(scheme: .http, host: "host", port: 8_000)),
        (
            "https://api.example/a/b/v1",
            .init(
                scheme: .https, host: "api.example", port: 443, basePath: "/a/b")
        ),
        ("HTTP://host", .init(scheme: .http, host: "host", port: 80)),
        ("h2c://[::1]:9000/x", .init(scheme: .h2c, host: "::1", port: 9_000, basePath: "/x")),
        ("http://[::1]", .init(scheme: .http, host: "::1", port: 80)),
    ])
    func addressesReadAsTheyAreWritten(text: String, address: UpstreamAddress) {
        #expect(UpstreamAddress(text: text) == address)
        #expect(UpstreamAddress(text: address.text) == address)
    }

    @Test(arguments: [
        "", "host:8000", "ftp://host", "http:host", "http://", "http:///x", "http://host:0",
        "http://host:99999", "http://user@host", "http://host/?a=b", "http://host/#a",
        "http://host/a b", "http://hö.st", "http://:80",
    ])
    func otherTextIsNoAddress(text: String) {
        #expect(UpstreamAddress(text: text) == nil)
    }

    private func kind(_ status: Int, _ error: UpstreamError? = nil) -> APIErrorKind? {
        guard
            case .rejected(let error) = UpstreamFailure(
                status: status, fields: HTTPFields(), error: error)
        else { return nil }
        return error.kind
    }

    @Test func onlyTheRequestsFaultsAreTheClients() {
        var long = UpstreamError(message: "too long")
        long.type = "exceed_context_size_error"
        #expect(kind(400, long) == .contextLengthExceeded)
        var unsupported = UpstreamError(message: "no tools")
        unsupported.code = "unsupported_parameter"
        #expect(kind(400, unsupported) == .unsupported)
        // A word of ours with another status is not taken over.
        unsupported.code = "insufficient_quota"
        #expect(kind(400, unsupported) == .invalidValue)
        #expect(kind(422) == .invalidValue && kind(413) == .payloadTooLarge)
        for status in [301, 401, 403, 404, 405, 408, 429, 500, 502, 503, 504] {
            #expect(kind(status) == nil, "\(status)")
        }
    }

    @Test(
        arguments: [
            (["retry-after": "3"], 3_000), (["retry-after": "3", "retry-after-ms": "250"], 250),
            (["retry-after": "Mon, 23 Nov 2026 00:00:00 GMT"], nil), ([:], nil),
            (["retry-after": "1e9"], 3_600_000), (["retry-after": "-1"], nil),
        ] as [([String: String], Int?)])
    func pressureKeepsItsTime(fields: [String: String], milliseconds: Int?) {
        let failure = UpstreamFailure(
            status: 429, fields: HTTPFields(fields.map { HTTPField($0.key, $0.value) }), error: nil)
        guard case .busy(let found) = failure else {
            Issue.record("\(failure)")
            return
        }
        #expect(found == milliseconds)
        #expect(failure.apiError.kind == .queueFull)
    }

    @Test func errorsInAStreamAreToldApart() {
        var error = UpstreamError(message: "bad")
        error.status = 400
        guard case .rejected = UpstreamFailure(error) else {
            Issue.record("the client's fault is not its own")
            return
        }
        error.status = 500
        guard case .failed(let reason) = UpstreamFailure(error) else {
            Issue.record("the server's fault is the client's")
            return
        }
        // It may hold the prompt, and goes to logs.
        #expect(!reason.contains("bad"))
    }

    private func pool(_ addresses: String...) -> PoolSettings {
        var pool = PoolSettings(name: "p", model: "m")
        pool.kind = .openAI
        pool.workers = addresses.compactMap(UpstreamAddress.init(text:)).map { WorkerSettings($0) }
        return pool
    }

    @Test func addressesAreFoundByWhereTheyLead() throws {
        let material = try UpstreamAccess.Material(
            pool("h2c://a:1/x", "http://b:2"))
        #expect(material.address(of: .tcp(host: "b", port: 2)).text == "http://b:2")
        // One that came at run time has the first one's form.
        #expect(material.address(of: .tcp(host: "c", port: 3)).text == "h2c://c:3/x")
    }

    @Test func plaintextBeyondThisMachineIsRefused() {
        var settings = pool("http://127.0.0.1:1", "https://a.example", "h2c://10.0.0.1:2")
        #expect(
            settings.workers.map { settings.linkRefusal($0.endpoint) == nil } == [
                true, true, false,
            ])
        settings.link.allowsPlaintext = true
        #expect(settings.linkRefusal(settings.workers[2].endpoint) == nil)
    }

    @Test func namesAreCheckedAndAddressesAreNoNames() throws {
        let material = try UpstreamAccess.Material(pool("https://a.example", "https://10.0.0.1:2"))
        let named = try #require(UpstreamAddress(text: "https://a.example"))
        #expect(material.tls(for: named)?.serverName == "a.example")
        let numbered = try #require(UpstreamAddress(text: "https://10.0.0.1:2"))
        #expect(
            material.tls(for: numbered) != nil && material.tls(for: numbered)?.serverName == nil)
        var settings = pool("https://a.example")
        settings.link.authorityPath = "/nonexistent"
        #expect(throws: WorkerLinkCredentials.LoadError.self) {
            try UpstreamAccess.Material(settings)
        }
    }

    @Test func whatIsWrongWithAPoolIsSaid() {
        var configuration = GatewayConfiguration(
            models: [ModelSettings(name: "m", path: nil)],
            pools: [pool("http://a:1/x", "h2c://a:1/y")])
        #expect(configuration.problems == [.upstreamTwice("a:1", pool: "p")])
        configuration.pools[0].workers = [WorkerSettings(.unix(path: "/x"))]
        #expect(configuration.problems == [.notUpstreams(pool: "p")])
        configuration.pools[0] = pool("http://a:1/x", "h2c://b:1/y")
        #expect(configuration.problems.isEmpty)
    }
}
