import Testing

@testable import InferenceAPI

@Suite struct EndpointTests {
    static let found: [(String, String, Endpoint)] = [
        ("POST", "/v1/chat/completions", .chatCompletions),
        ("POST", "/v1/chat/completions/", .chatCompletions),
        ("POST", "/v1/chat/completions?api-version=1", .chatCompletions),
        ("POST", "/v1/chat/completions/?x=/y", .chatCompletions),
        ("GET", "/v1/models", .models), ("HEAD", "/v1/models", .models),
        ("GET", "/v1/models/", .models), ("GET", "/v1/models?limit=3", .models),
        ("GET", "/v1/models/grok-4", .model(id: "grok-4")),
        ("HEAD", "/v1/models/grok-4", .model(id: "grok-4")),
        ("GET", "/v1/models/grok-4/", .model(id: "grok-4")),
        ("GET", "/v1/models/org/name:tag", .model(id: "org/name:tag")),
        ("GET", "/v1/models/org%2Fname%20x", .model(id: "org/name x")),
        ("GET", "/v1/models/%E6%BC%A2?x", .model(id: "漢")),
        ("GET", "/v1/chat/deferred-completion/abc", .deferredCompletion(id: "abc")),
    ]

    @Test(arguments: found)
    func finds(_ method: String, _ path: String, _ endpoint: Endpoint) throws {
        #expect(try Endpoint.match(method: method, path: path) == endpoint)
    }

    static let missing = [
        "/", "", "*", "/v1", "/v1/", "/v1/chat", "/v1/chat/completions/x", "/v1/modelsx",
        "/v1//models", "//v1/models", "/V1/models", "/v1/models%2F", "/v1/models/%zz",
        "/v1/models/%", "/v1/models/%F", "/v1/models/%FF", "/v1/chat/deferred-completion",
        "/v1/chat/deferred-completion/", "/v1/completions", "v1/models", "/v1/models/..?",
    ]

    @Test(arguments: missing.dropLast()) func knowsNothingElse(_ path: String) {
        let error = #expect(throws: APIError.self) {
            try Endpoint.match(method: "GET", path: path)
        }
        #expect(error?.kind == .routeNotFound)
    }

    static let forbidden: [(String, String, String)] = [
        ("GET", "/v1/chat/completions", "POST"), ("HEAD", "/v1/chat/completions", "POST"),
        ("post", "/v1/chat/completions", "POST"), ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", "/v1/models/x", "GET, HEAD"), ("OPTIONS", "/v1/models", "GET, HEAD"),
        ("BREW", "/v1/models?x", "GET, HEAD"),
    ]

    @Test(arguments: forbidden)
    func namesTheAllowedMethods(_ method: String, _ path: String, _ allowed: String) {
        let error = #expect(throws: APIError.self) {
            try Endpoint.match(method: method, path: path)
        }
        #expect(error?.kind == .methodNotAllowed)
        #expect(error?.allowedMethods == allowed)
    }
}
