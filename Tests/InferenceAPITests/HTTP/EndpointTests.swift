import Testing

@testable import InferenceAPI

@Suite struct EndpointTests {
    static let found: [(String, String, Endpoint)] = [
        ("POST", "/v1/chat/completions", Endpoint(.chatCompletions)),
        ("POST", "/v1/chat/completions/", Endpoint(.chatCompletions)),
        ("POST", "/v1/chat/completions?api-version=1", Endpoint(.chatCompletions)),
        ("POST", "/v1/chat/completions/?x=/y", Endpoint(.chatCompletions)),
        ("GET", "/v1/models", Endpoint(.models)), ("HEAD", "/v1/models", Endpoint(.models)),
        ("GET", "/v1/models/", Endpoint(.models)), ("GET", "/v1/models?limit=3", Endpoint(.models)),
        ("GET", "/v1/models/grok-4", Endpoint(.model, id: "grok-4")),
        ("HEAD", "/v1/models/grok-4", Endpoint(.model, id: "grok-4")),
        ("GET", "/v1/models/grok-4/", Endpoint(.model, id: "grok-4")),
        ("GET", "/v1/models/org/name:tag", Endpoint(.model, id: "org/name:tag")),
        ("GET", "/v1/models/org%2Fname%20x", Endpoint(.model, id: "org/name x")),
        ("GET", "/v1/models/%E6%BC%A2?x", Endpoint(.model, id: "漢")),
        ("GET", "/v1/chat/deferred-completion/abc", Endpoint(.deferredCompletion, id: "abc")),
        ("GET", "/v1/responses/resp_1", Endpoint(.response, id: "resp_1")),
        ("DELETE", "/v1/responses/resp_1", Endpoint(.deleteResponse, id: "resp_1")),
        ("GET", "/v1/responses/r/input_items", Endpoint(.responseInputItems, id: "r")),
        ("POST", "/v1/responses/compact", Endpoint(.compactResponse)),
        ("POST", "/v1/batches/b1:cancel", Endpoint(.cancelBatch, id: "b1")),
        ("GET", "/v1/batches/b1/results?limit=1", Endpoint(.batchResults, id: "b1")),
    ]

    @Test(arguments: found)
    func finds(_ method: String, _ path: String, _ endpoint: Endpoint) throws {
        #expect(try Endpoint.match(method: method, path: path) == endpoint)
    }

    static let missing = [
        "/", "", "*", "/v1", "/v1/", "/v1/chat", "/v1/chat/completions/x", "/v1/modelsx",
        "/v1//models", "//v1/models", "/V1/models", "/v1/models%2F", "/v1/models/%zz",
        "/v1/models/%", "/v1/models/%F", "/v1/models/%FF", "/v1/chat/deferred-completion",
        "/v1/chat/deferred-completion/", "/v1/completion", "v1/models",
        "/v1/responses/a/b", "/v1/responses//input_items", "/v1/files//content", "/v1/models/..?",
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
        ("BREW", "/v1/models?x", "GET, HEAD"), ("PUT", "/v1/files", "POST, GET, HEAD"),
        ("PATCH", "/v1/responses/r", "GET, HEAD, DELETE"),
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
