import CLlama
import InferenceAPI
import InferenceTypes
import Testing

@testable import LlamaEngine

/// What the grammars of schemas let through, asked of the library that follows them.
@Suite(.serialized, .enabled(if: TestModel.isPresent, TestModel.absence))
struct SchemaGrammarTests {
    /// Opened for its vocabulary once, for as long as the tests run.
    nonisolated(unsafe) private static let model: OpaquePointer? = {
        var parameters = llama_model_default_params()
        parameters.vocab_only = true
        return llama_model_load_from_file(TestModel.path!, parameters)
    }()

    struct Case: CustomTestStringConvertible {
        var schema: String
        var matching: [String]
        var others: [String]
        var testDescription: String { schema }

        init(_ schema: String, _ matching: [String], not others: [String]) {
            (self.schema, self.matching, self.others) = (schema, matching, others)
        }
    }

    static let types = [
        Case(
            #"{"type":"string"}"#, [#""""#, #""é€😀""#, #""a\"\\\n\u00e9""#],
            not: [
                "1", #""a"#, "\"a\nb\"", #""\ud83d""#, #""\ud83d\ude00""#, #""\x""#, #""a"b"#,
            ]),
        Case(
            #"{"type":"string","minLength":2,"maxLength":3}"#, [#""ab""#, #""éé\"""#],
            not: [
                #""a""#, #""abcd""#,
            ]),
        Case(#"{"type":"string","maxLength":0}"#, [#""""#], not: [#""a""#]),
        Case(#"{"type":"null"}"#, ["null"], not: ["nul", "true"]),
        Case(#"{"type":"boolean"}"#, ["true", "false"], not: ["null", "1"]),
        Case(#"{"type":["integer","null"]}"#, ["null", "-7"], not: ["1.5", #""""#]),
        Case(#"{"const":{"a":[1,"x"]}}"#, [#"{"a":[1,"x"]}"#], not: [#"{"a":[1]}"#]),
        Case(
            #"{"enum":["a\"b","\\",null,1.50]}"#, [#""a\"b""#, #""\\""#, "null", "1.50"],
            not: [
                #""a""#, "1.5",
            ]),
        Case(
            "true", [#"{"a":[1,{"b":null}],"c":"d"}"#, "[]", "{}", "-1.5e-7"], not: ["[1,]", "{,}"]),
    ]

    static let numbers = [
        Case(
            #"{"type":"integer"}"#, ["0", "-0", "-12", "999999999999999"],
            not: [
                "01", "1.0", "1e3", "+1", "9999999999999999",
            ]),
        Case(
            #"{"type":"integer","minimum":7,"maximum":123}"#, ["7", "10", "99", "100", "123"],
            not: [
                "6", "07", "124", "200", "1000", "-7",
            ]),
        Case(
            #"{"type":"integer","minimum":-25,"maximum":-5}"#, ["-5", "-9", "-10", "-25"],
            not: [
                "-4", "-26", "5", "0", "-05", "-030",
            ]),
        Case(
            #"{"type":"integer","maximum":-5}"#, ["-5", "-50", "-999999"], not: ["-4", "-03", "0"]),
        Case(
            #"{"type":"integer","exclusiveMinimum":-3,"exclusiveMaximum":3}"#, ["-2", "0", "2"],
            not: ["-3", "3", "10"]),
        Case(#"{"type":"integer","minimum":0}"#, ["0", "10", "123456"], not: ["-1", "-0"]),
        Case(#"{"type":"number"}"#, ["0.5", "-1e9", "3"], not: [".5", "1.", "1e999", "NaN"]),
        Case(
            #"{"type":"number","minimum":0,"maximum":1}"#, ["0", "0.25", "1", "0.0"],
            not: [
                "1.1", "-0.1", "2", "1.01", "10", "0e5",
            ]),
        Case(
            #"{"type":"number","exclusiveMinimum":0}"#, ["0.001", "7", "10.5"],
            not: [
                "0", "0.0", "0.00", "-1",
            ]),
        Case(
            #"{"type":"number","minimum":-90,"exclusiveMaximum":90}"#,
            ["-90", "-89.99", "0", "-0.5", "89.999"], not: ["90", "-90.1", "-91", "90.0", "100"]),
        Case(#"{"type":"number","maximum":-1}"#, ["-1", "-1.5", "-10"], not: ["-0.5", "0", "1"]),
    ]

    static let arrays = [
        Case(
            #"{"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3}"#,
            ["[1]", "[1, 2,3]", "[\n  1\n]"], not: ["[]", "[1,2,3,4]", "[1,]", #"["a"]"#]),
        Case(#"{"type":"array","maxItems":0}"#, ["[]", "[ ]"], not: ["[1]"]),
        Case(#"{"type":"array","items":false}"#, ["[]"], not: ["[1]"]),
        Case(
            #"{"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}],"items":false}"#,
            [#"["a", 1]"#], not: [#"["a"]"#, #"["a",1,2]"#, #"[1,"a"]"#]),
        Case(
            #"{"type":"array","items":{"type":"array","items":{"enum":[0,1]}}}"#,
            ["[[0,1],[]]", "[]"], not: ["[0]", "[[2]]"]),
    ]

    static let objects = [
        Case(
            #"{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"null"}},"#
                + #""required":["a"]}"#,
            [#"{"a":1}"#, #"{"a":1,"b":null}"#, #"{ "a" : 1 }"#],
            not: ["{}", #"{"b":null}"#, #"{"a":1,"c":1}"#, #"{"a":1,}"#, #"{"b":null,"a":1}"#]),
        Case(
            #"{"type":"object","properties":{"a":{},"b":{},"c":{}}}"#,
            ["{}", #"{"b":1}"#, #"{"a":1,"c":2}"#, #"{"a":1,"b":2,"c":3}"#, #"{"c":1}"#],
            not: [#"{,"b":1}"#, #"{"a":1 "b":2}"#, #"{"d":1}"#]),
        Case(
            #"{"type":"object","properties":{"a":{},"b":{}},"required":["b"]}"#,
            [#"{"b":1}"#, #"{"a":0,"b":1}"#], not: ["{}", #"{"a":1}"#]),
        Case(
            #"{"type":"object","additionalProperties":{"type":"integer"}}"#,
            ["{}", #"{"x":1,"y":2}"#], not: [#"{"x":"1"}"#, #"{"\q":1}"#, "{\"a\nb\":1}"]),
        Case(#"{"type":"object","additionalProperties":false}"#, ["{}"], not: [#"{"x":1}"#]),
        Case(
            #"{"type":"object","minProperties":1,"maxProperties":2}"#, [#"{"x":1}"#],
            not: [
                "{}", #"{"a":1,"b":2,"c":3}"#,
            ]),
        Case(#"{"type":"object","required":["z"]}"#, [#"{"z":[1]}"#], not: ["{}", #"{"y":1}"#]),
        Case(
            #"{"type":"object","properties":{"a\"b":{"type":"null"}},"required":["a\"b"]}"#,
            [#"{"a\"b":null}"#], not: [#"{"a":null}"#]),
        Case(
            ##"{"$defs":{"n":{"type":"object","properties":{"v":{"type":"integer"},"##
                + ##""next":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"##
                + ##""required":["v","next"]}},"##
                + ##""$ref":"#/$defs/n"}"##,
            [#"{"v":1,"next":{"v":2,"next":null}}"#], not: [#"{"v":1,"next":{}}"#, #"{"v":1}"#]),
        Case(
            ##"{"$defs":{"a/b":{"const":1},"c~d":{"const":2},"e f":{"const":3},"a-b":{"const":4}},"##
                + ##""type":"array","prefixItems":[{"$ref":"#/$defs/a~1b"},{"$ref":"#/$defs/c~0d"},"##
                + ##"{"$ref":"#/$defs/e%20f"},{"$ref":"#/$defs/a-b"}]}"##,
            ["[1,2,3,4]"], not: ["[1,2,3,1]"]),
        Case(
            ##"{"type":"object","properties":{"child":{"$ref":"#"}}}"##,
            ["{}", #"{"child":{"child":{}}}"#], not: [#"{"child":1}"#]),
    ]

    static let patterns = [
        Case(
            #"{"type":"string","pattern":"^[a-c]{2}-\\d+$"}"#, [#""ab-1""#, #""cc-123""#],
            not: [
                #""ad-1""#, #""ab-""#, #""ab1""#,
            ]),
        Case(
            #"{"type":"string","pattern":"^(cat|dog)s?$"}"#, [#""cat""#, #""dogs""#],
            not: [
                #""cats ""#, #""ca""#,
            ]),
        Case(
            #"{"type":"string","pattern":"^.*$"}"#, [#""""#, #""x\"y""#, #""é\\""#],
            not: [
                #""x"y""#, "\"x\ny\"", #""\""#,
            ]),
        Case(
            #"{"type":"string","pattern":"^[^a]$"}"#, [#""b""#, #""\"""#, #""\\""#],
            not: [
                #""a""#, #"""""#, #""\""#,
            ]),
        Case(
            #"{"type":"string","pattern":"^[\"\\\\]\\t\\n$"}"#, [#""\"\t\n""#, #""\\\t\n""#],
            not: [
                #"""\t\n""#
            ]),
        Case(
            #"{"type":"string","pattern":"^\\w+@\\w+\\.com$"}"#, [#""a_1@b.com""#],
            not: [
                #""a@b.org""#, #""a@bxcom""#,
            ]),
        Case(
            #"{"type":"string","pattern":"^\\u00e9{2,}$"}"#, [#""éé""#, #""ééé""#], not: [#""é""#]),
        Case(#"{"type":"string","pattern":"^(a|)b$"}"#, [#""b""#, #""ab""#], not: [#""a""#]),
        Case(
            #"{"type":"string","format":"date"}"#,
            [#""2024-02-29""#, #""2000-02-29""#, #""1999-12-31""#, #""2023-04-30""#],
            not: [
                #""2023-02-29""#, #""2023-04-31""#, #""1900-02-29""#, #""2023-13-01""#,
                #""2023-02-30""#, #""0000-01-01""#, #""2023-00-10""#,
            ]),
        Case(
            #"{"type":"string","format":"date-time"}"#,
            [#""2024-05-01T23:59:59Z""#, #""2024-05-01T00:00:00.123+02:00""#],
            not: [
                #""2024-05-01 23:59:59Z""#, #""2024-05-01T24:00:00Z""#, #""2024-05-01T23:59:59""#,
            ]),
        Case(
            #"{"type":"string","format":"uuid"}"#,
            [#""123e4567-e89b-12d3-a456-426614174000""#], not: [#""123e4567""#]),
        Case(
            #"{"type":"string","format":"ipv4"}"#, [#""0.10.255.199""#],
            not: [
                #""256.1.1.1""#, #""1.2.3""#, #""01.2.3.4""#,
            ]),
        Case(
            #"{"type":"string","format":"email"}"#, [#""a.b@mail.example.org""#],
            not: [
                #""a@b""#, #""a b@c.de""#, #"".a@b.de""#,
            ]),
        Case(
            #"{"type":"string","format":"uri"}"#, [#""https://example.org/a/b.html""#],
            not: [
                #""example.org""#, #""https://""#,
            ]),
    ]

    @Test(arguments: types + numbers + arrays + objects + patterns)
    func letsThroughWhatMatches(_ test: Case) throws {
        let grammar = try JSONSchema(parsing: test.schema).grammar()
        try GrammarCheck.validate(grammar)
        for text in test.matching { #expect(try admits(text, grammar), "\(text)") }
        for text in test.others { #expect(try !admits(text, grammar), "\(text)") }
    }

    /// Whether the output may be exactly `text`.
    private func admits(_ text: String, _ grammar: String) throws -> Bool {
        let vocabulary = try #require(llama_model_get_vocab(Self.model))
        var grammar = try Grammar(grammar, source: GrammarSource(vocabulary: vocabulary))
        var tokens = [TokenID](repeating: 0, count: text.utf8.count + 8)
        let count = llama_tokenize(
            vocabulary, text, Int32(text.utf8.count), &tokens, Int32(tokens.count), false, false)
        for token in tokens.prefix(Int(count)) {
            guard try grammar.admits(token) else { return false }
            try grammar.accept(token)
        }
        return try grammar.admits(llama_vocab_eos(vocabulary))
    }
}
