import HTTPTransport
import InferenceAPI
import InferenceTypes
import Testing

@testable import Gateway

struct AdminTests {
    private func head(_ fields: HTTPFields = HTTPFields()) -> HTTPRequestHead {
        HTTPRequestHead(method: "GET", authority: "x", path: "/admin/v1/workers", fields: fields)
    }

    @Test func onlyThisMachineHasAdminWithoutATokenFile() throws {
        try AdminAccess(keys: nil, isLoopback: true).check(head())
        let error = #expect(throws: APIError.self) {
            try AdminAccess(keys: nil, isLoopback: false).check(head())
        }
        #expect(error?.kind == .permissionDenied)
    }

    @Test func tokensAreLookedAtOnAnyAddress() throws {
        let keys = try APIKeys(text: "operator-token-1\n", path: "tokens")
        for isLoopback in [true, false] {
            let access = AdminAccess(keys: keys, isLoopback: isLoopback)
            try access.check(head(["authorization": "Bearer operator-token-1"]))
            #expect(throws: APIError.self) { try access.check(head()) }
            #expect(throws: APIError.self) {
                try access.check(head(["authorization": "Bearer operator-token-2"]))
            }
        }
    }

    @Test func routesAreWhatTheTableSays() throws {
        let id = WorkerID(number: 7)
        let routes: [(String, String, AdminRoute)] = [
            ("GET", "/admin/v1/workers?x=1", .workers), ("POST", "/admin/v1/workers", .add),
            ("DELETE", "/admin/v1/workers/7", .remove(id)),
            ("POST", "/admin/v1/workers/7/drain", .drain(id)),
            ("POST", "/admin/v1/workers/7/undrain", .undrain(id)),
            ("POST", "/admin/v1/workers/7/restart", .restart(id)),
            ("GET", "/admin/v1/pools", .pools),
            ("POST", "/admin/v1/pools/default/scale", .scale(pool: "default")),
            ("POST", "/admin/v1/pools/a%2Fb/swap", .swap(pool: "a/b")),
            ("GET", "/admin/v1/models", .models), ("POST", "/admin/v1/models", .load),
            ("DELETE", "/admin/v1/models/org%2Fm", .unload("org/m")),
            ("PUT", "/admin/v1/splits/s", .split("s")),
            ("DELETE", "/admin/v1/splits/s", .removeSplit("s")),
            ("POST", "/admin/v1/reload", .reload),
            ("POST", "/admin/v1/workers/7/weight", .weight(id)),
            ("GET", "/admin/v1/decisions/req_1", .decisions(requestID: "req_1")),
            ("GET", "/admin/v1/decisions/a/b%2Fc?x", .decisions(requestID: "a/b/c")),
        ]
        for (method, path, route) in routes {
            #expect(try AdminRoute(method: method, path: path) == route)
        }
        let error = #expect(throws: APIError.self) {
            try AdminRoute(method: "PATCH", path: "/admin/v1/models")
        }
        #expect(error?.kind == .methodNotAllowed)
        for path in ["/admin/v2/workers", "/admin/v1", "/admin/v1/workers/7/x/y", "/admin/v1/x"] {
            #expect(throws: APIError.self) { try AdminRoute(method: "GET", path: path) }
        }
    }

    @Test(arguments: ["", "{}", #"{"weight":0}"#, #"{"weight":-1}"#, #"{"weight":1e9}"#])
    func otherWeightsAreRefused(body: String) {
        let error = #expect(throws: APIError.self) {
            try AdminAction(.weight(WorkerID(number: 7)), body: Array(body.utf8))
        }
        #expect(error?.parameter == "weight")
    }

    @Test(arguments: [
        ("unix:/run/w.sock", HTTPEndpoint.unix(path: "/run/w.sock")),
        ("10.0.0.1:9000", .tcp(host: "10.0.0.1", port: 9_000)),
        ("[::1]:9000", .tcp(host: "::1", port: 9_000)),
        ("worker.example:1", .tcp(host: "worker.example", port: 1)),
    ])
    func endpointsReadAsTheyAreWritten(text: String, endpoint: HTTPEndpoint) {
        #expect(HTTPEndpoint(text: text) == endpoint)
        #expect(endpoint.text == text)
    }

    @Test(arguments: ["", "unix:", "host", "host:", ":1", "host:0", "host:65536", "host:x"])
    func otherTextIsNoEndpoint(text: String) {
        #expect(HTTPEndpoint(text: text) == nil)
    }
}
