import Testing
import Worker

@Suite struct WorkerListenAddressTests {
    @Test(arguments: [
        ("unix:/run/w.sock", WorkerListenAddress.unix(path: "/run/w.sock")),
        ("127.0.0.1:9000", .tcp(host: "127.0.0.1", port: 9000)),
        ("localhost:0", .tcp(host: "localhost", port: 0)),
        ("[::1]:9000", .tcp(host: "::1", port: 9000)),
        ("0.0.0.0:65535", .tcp(host: "0.0.0.0", port: 65_535)),
    ])
    func readsAndWrites(text: String, expected: WorkerListenAddress) throws {
        let address = try #require(WorkerListenAddress(text))
        #expect(address == expected)
        #expect(address.description == text)
    }

    @Test(arguments: [
        "", "unix:", "127.0.0.1", ":9000", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
        "::1:9000", "host:port", "unix:/" + String(repeating: "x", count: 107),
    ])
    func refuses(text: String) {
        #expect(WorkerListenAddress(text) == nil)
    }

    @Test func knowsWhatOthersCanReach() {
        #expect(WorkerListenAddress.unix(path: "/w").isLocal)
        #expect(WorkerListenAddress.tcp(host: "127.9.9.9", port: 1).isLocal)
        #expect(WorkerListenAddress.tcp(host: "localhost", port: 1).isLocal)
        #expect(WorkerListenAddress.tcp(host: "::1", port: 1).isLocal)
        #expect(!WorkerListenAddress.tcp(host: "0.0.0.0", port: 1).isLocal)
        #expect(!WorkerListenAddress.tcp(host: "127.example.com", port: 1).isLocal)
        #expect(!WorkerListenAddress.tcp(host: "10.0.0.1", port: 1).isLocal)
    }
}
