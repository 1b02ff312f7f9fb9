import Foundation
import HTTPTransport
import Testing

@testable import Gateway

struct WorkerAddressTests {
    @Test(
        arguments: [
            ("127.0.0.1", [127, 0, 0, 1]), ("255.0.10.9", [255, 0, 10, 9]),
            ("::ffff:10.0.0.1", [10, 0, 0, 1]),
            ("::1", Array(repeating: 0, count: 15) + [1]), ("::", Array(repeating: 0, count: 16)),
            ("fd00:1::a", [0xFD, 0, 0, 1] + Array(repeating: 0, count: 11) + [0xA]),
            ("1:2:3:4:5:6:7:8", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]),
        ] as [(String, [UInt8])])
    func addressesAreRead(text: String, bytes: [UInt8]) {
        #expect(IPAddress(text)?.bytes == bytes)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "256.0.0.1", "010.0.0.1", "1.2.3.-4", "1.2.3.٤", "1.2.3.4/8",
        ":", ":::", "1:2", "1:2:3:4:5:6:7:8:9", "::1::", "g::1", "12345::", "::1.2.3", "fe80::1%lo",
        "1:2:3:4:5:6:7::8:9", "127.evil.test", "localhost",
    ])
    func whatIsNoAddressIsNone(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func onlyThisMachineIsLocal() {
        for text in ["unix:/x", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"] {
            #expect(HTTPEndpoint(text: text)?.isLocal == true, "\(text)")
        }
        for text in ["127.evil.test:1", "10.0.0.1:1", "[::2]:1", "localhost.test:1", "0.0.0.0:1"] {
            #expect(HTTPEndpoint(text: text)?.isLocal == false, "\(text)")
        }
    }

    @Test(arguments: [
        ("10.1.0.0/16", "10.1.255.255:9", true), ("10.1.0.0/16", "10.2.0.1:9", false),
        ("10.1.2.3/15", "10.0.9.9:9", true), ("10.1.2.3/15", "10.2.0.0:9", false),
        ("10.1.2.3", "10.1.2.3:9", true), ("10.1.2.3", "10.1.2.4:9", false),
        ("0.0.0.0/0", "203.0.113.9:9", true), ("0.0.0.0/0", "[fd00::1]:9", false),
        ("fd00::/8", "[fd12::7]:9", true), ("fd00::/8", "[fe80::7]:9", false),
        ("10.0.0.0/8", "[::ffff:10.0.0.9]:9", true), ("10.0.0.0/8", "worker.test:9", false),
        ("0.0.0.0/0", "unix:/run/w.sock", false),
        ("Worker.Test", "worker.test:9", true), ("worker.test", "a.worker.test:9", false),
        ("unix:/run/workers/", "unix:/run/workers/w.sock", true),
        ("unix:/run/workers/", "unix:/run/workers/../w.sock", false),
        ("unix:/run/workers/", "unix:/tmp/w.sock", false),
        ("unix:/", "10.0.0.1:9", false),
    ])
    func rulesAllowWhatTheySay(rule: String, address: String, isAllowed: Bool) throws {
        let rule = try #require(WorkerAddressRule(rule))
        #expect(rule.allows(try #require(HTTPEndpoint(text: address))) == isAllowed)
    }

    @Test(arguments: [
        "", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0/8", "fd00::/129", "unix:",
        "unix:run", "unix:/run/../x", "a b", "1.2.3", "worker.test:80", "*",
    ])
    func whatIsNoRuleIsRefused(text: String) {
        #expect(WorkerAddressRule(text) == nil)
    }

    @Test func plaintextGoesNoFartherThanIsAllowed() throws {
        var pool = PoolSettings(name: "p", model: "m")
        let near = try #require(HTTPEndpoint(text: "127.0.0.1:9"))
        let far = try #require(HTTPEndpoint(text: "10.0.0.1:9"))
        #expect(pool.linkRefusal(near) == nil)
        #expect(pool.linkRefusal(far)?.contains("10.0.0.1:9 would be plaintext") == true)
        #expect(pool.registrationRefusal(near) == nil)
        #expect(pool.registrationRefusal(far)?.contains("may register") == true)
        // A token says who may register, not that it may travel in the clear.
        pool.link.tokenPath = "/token"
        #expect(pool.registrationRefusal(far)?.contains("plaintext") == true)
        pool.link.allowsPlaintext = true
        #expect(pool.linkRefusal(far) == nil && pool.registrationRefusal(far) == nil)
        pool.link = LinkSettings()
        pool.link.authorityPath = "/ca.pem"
        #expect(pool.linkRefusal(far) == nil && pool.registrationRefusal(far) == nil)
        pool.registration = [try #require(WorkerAddressRule("10.9.0.0/16"))]
        #expect(pool.registrationRefusal(far)?.contains("may register") == true)
        #expect(pool.registrationRefusal(near)?.contains("may register") == true)
        #expect(pool.registrationRefusal(.tcp(host: "10.9.1.1", port: 9)) == nil)
    }

    @Test func contradictoryLinkSettingsAreRefused() {
        var link = LinkSettings()
        #expect(link.fault == nil)
        link.certificatePath = "/c"
        #expect(link.fault != nil)
        link.keyPath = "/k"
        #expect(link.fault != nil)
        link.authorityPath = "/a"
        #expect(link.fault == nil)
        link.serverName = "worker.test"
        #expect(link.fault == nil)
        link.serverName = "10.0.0.1"
        #expect(link.fault != nil)
    }

    @Test func aTokenIsReadAgainAndAWrongOneLeavesTheOld() throws {
        let path = NSTemporaryDirectory() + "sy-token-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        func write(_ text: String) throws {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        }
        var link = LinkSettings()
        link.tokenPath = path
        #expect(throws: WorkerLinkCredentials.LoadError.self) {
            try WorkerLinkCredentials.Material(link)
        }
        try write("first-token\nrest\n")
        let credentials = WorkerLinkCredentials(try WorkerLinkCredentials.Material(link))
        let shown = credentials.credentials(for: .tcp(host: "127.0.0.1", port: 9))
        #expect(shown.authorization() == "Bearer first-token" && shown.tls == nil)
        for wrong in ["", "\n", "two words\n", "schlüssel"] {
            try write(wrong)
            #expect(throws: WorkerLinkCredentials.LoadError.self) {
                try WorkerLinkCredentials.Material(link)
            }
            #expect(shown.authorization() == "Bearer first-token")
        }
        try write("second-token")
        credentials.replace(try WorkerLinkCredentials.Material(link))
        // Links that stand use it as well.
        #expect(shown.authorization() == "Bearer second-token")
    }
}
