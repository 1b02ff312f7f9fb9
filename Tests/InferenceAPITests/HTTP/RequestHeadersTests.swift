import Testing

@testable import InferenceAPI

@Suite struct RequestHeadersTests {
    @Test func readsKeys() throws {
        let found: [(String?, String?, String?)] = [
            (nil, nil, nil), ("Bearer k", nil, "k"), ("bearer k", nil, "k"),
            ("BEARER   k  ", nil, "k"), (nil, "k", "k"), ("Bearer a", "b", "a"),
            (" Bearer k", nil, "k"), ("Bearer sk-A_b.c/+=~", nil, "sk-A_b.c/+=~"),
        ]
        for (authorization, apiKey, key) in found {
            #expect(
                try RequestHeaders.key(authorization: authorization, apiKey: apiKey) == key)
        }
        let refused: [(String?, String?)] = [
            ("", nil), ("Bearer", nil), ("Bearer ", nil), ("Basic dXNlcg==", nil), ("k", nil),
            ("Bearerk", nil), ("Bearer a b", nil), ("Bearer é", nil), (nil, ""), (nil, " "),
            ("Bearer " + String(repeating: "k", count: 513), nil), ("Basic x", "k"),
        ]
        for (authorization, apiKey) in refused {
            let error = #expect(throws: APIError.self) {
                try RequestHeaders.key(authorization: authorization, apiKey: apiKey)
            }
            #expect(error?.kind == .unauthenticated)
        }
    }

    @Test func takesOverPlainRequestIDs() {
        let good = ["a", "req-1_2.3:4/5+6=", String(repeating: "x", count: 128)]
        for id in good { #expect(RequestHeaders.requestID(id) == id) }
        let bad = ["", " a", "a b", "a\nb", "é", "a\"b", "a{b", String(repeating: "x", count: 129)]
        for id in bad { #expect(RequestHeaders.requestID(id) == nil) }
        #expect(RequestHeaders.requestID(nil) == nil)
    }

    @Test func readsTheTTFTObjective() throws {
        #expect(try RequestHeaders.ttftMilliseconds(nil) == nil)
        #expect(try RequestHeaders.ttftMilliseconds("1") == 1)
        #expect(try RequestHeaders.ttftMilliseconds("3600000") == 3_600_000)
        for value in ["", "0", "-1", "+1", "1.5", "3600001", "x", "99999999999999999999", " 1"] {
            let error = #expect(throws: APIError.self) {
                try RequestHeaders.ttftMilliseconds(value)
            }
            #expect(error?.kind == .invalidHeader)
            #expect(error?.parameter == "x-slo-ttft-ms")
        }
    }

    @Test func requiresJSON() {
        let good = [
            nil, "application/json", "application/json; charset=utf-8", "Application/JSON",
            "application/json;charset=UTF-8", "application/problem+json", " application/json ",
        ]
        for value in good {
            #expect(throws: Never.self) { try RequestHeaders.requireJSON(contentType: value) }
        }
        let bad = [
            "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; b=x",
            "application/jsonx", "application/grpc", "application /json",
        ]
        for value in bad {
            let error = #expect(throws: APIError.self) {
                try RequestHeaders.requireJSON(contentType: value)
            }
            #expect(error?.kind == .unsupportedMediaType)
        }
    }

    @Test func madeIdentifiersHaveFixedLength() {
        #expect(Identifier.request((1, 2)) == "00000000000000010000000000000002")
        #expect(
            Identifier.request((.max, 0)) == "ffffffffffffffff0000000000000000")
        #expect(RequestHeaders.requestID(Identifier.request((1, 2))) != nil)
    }
}
