import InferenceAPI
import Storage
import Testing

@testable import Gateway

@Suite struct NamePatternsTests {
    @Test(arguments: [
        ("*", "", true), ("*", "anything", true), ("grok-4", "grok-4", true),
        ("grok-4", "grok-4-fast", false), ("grok-4", "grok", false), ("", "", true),
        ("", "a", false), ("grok-*", "grok-", true), ("grok-*", "xgrok-4", false),
        ("*-fast", "grok-4-fast", true), ("*-fast", "grok-fast-4", false),
        ("a*b*c", "abc", true), ("a*b*c", "axxbyyc", true), ("a*b*c", "axxbyy", false),
        ("a*b*c", "acb", false), ("**", "x", true), ("*a*a*", "aba", true), ("*aab", "aaab", true),
        ("GROK", "grok", false), ("é*", "étage", true),
    ])
    func matchWholeNames(pattern: String, name: String, isMatch: Bool) {
        #expect(NamePatterns([pattern]).matches(name) == isMatch)
    }

    @Test func anEmptyListAllowsNothing() {
        #expect(!NamePatterns([]).matches("a") && NamePatterns(["b", "a"]).matches("a"))
    }

    /// Against the definition: a star is any number of any bytes.
    @Test func agreeWithTheDefinition() {
        func matches(_ pattern: Substring, _ name: Substring) -> Bool {
            guard let first = pattern.first else { return name.isEmpty }
            if first == "*" {
                return matches(pattern.dropFirst(), name)
                    || !name.isEmpty && matches(pattern, name.dropFirst())
            }
            return name.first == first && matches(pattern.dropFirst(), name.dropFirst())
        }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<5_000 {
            func text(_ letters: String) -> String {
                String(
                    (0..<Int.random(in: 0...7, using: &generator)).compactMap { _ in
                        letters.randomElement(using: &generator)
                    })
            }
            let (pattern, name) = (text("ab*"), text("ab"))
            #expect(
                NamePatterns([pattern]).matches(name) == matches(pattern[...], name[...]),
                "\(pattern) \(name)")
        }
    }
}

@Suite struct GRPCEndpointsTests {
    @Test func everyMethodIsAnEndpointOfItsKind() {
        // A method that is added and missing here ends the process at its start.
        #expect(GRPCMethods.operations["Chat/GetCompletionChunk"] == .chatCompletions)
        let rest = Set(Endpoint.table.map(\.operation))
        #expect(GRPCMethods.operations.values.allSatisfy { rest.contains($0) })
    }
}
