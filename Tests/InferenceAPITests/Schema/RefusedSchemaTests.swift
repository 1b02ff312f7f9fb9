import Testing

@testable import InferenceAPI

/// What cannot be enforced is refused, with the keyword's path.
@Suite struct RefusedSchemaTests {
    private static func property(_ schema: String) -> String {
        #"{"type":"object","properties":{"x":\#(schema)}}"#
    }

    static let keywords: [(String, String)] = [
        (#"{"type":"number","multipleOf":0.5}"#, "multipleOf"),
        (#"{"type":"integer","multipleOf":2}"#, "multipleOf"),
        (#"{"type":"number","minimum":0.5}"#, "minimum"),
        (#"{"type":"number","exclusiveMaximum":1.5}"#, "exclusiveMaximum"),
        (#"{"type":"array","uniqueItems":true}"#, "uniqueItems"),
        (#"{"type":"array","contains":{"type":"null"}}"#, "contains"),
        (#"{"type":"array","unevaluatedItems":false}"#, "unevaluatedItems"),
        (#"{"not":{"type":"null"}}"#, "not"),
        (#"{"if":{},"then":{}}"#, "if"),
        (#"{"type":"object","dependentSchemas":{}}"#, "dependentSchemas"),
        (#"{"type":"object","dependentRequired":{}}"#, "dependentRequired"),
        (#"{"type":"object","dependencies":{}}"#, "dependencies"),
        (#"{"type":"object","patternProperties":{}}"#, "patternProperties"),
        (#"{"type":"object","propertyNames":{}}"#, "propertyNames"),
        (#"{"type":"object","unevaluatedProperties":false}"#, "unevaluatedProperties"),
        (#"{"type":"object","minProperties":2}"#, "minProperties"),
        (#"{"type":"object","properties":{"a":{}},"minProperties":1}"#, "minProperties"),
        (#"{"type":"object","properties":{"a":{},"b":{}},"maxProperties":1}"#, "maxProperties"),
        (#"{"type":"string","format":"idn-email"}"#, "format"),
        (#"{"type":"string","format":"regex"}"#, "format"),
        (#"{"type":"string","format":7}"#, "format"),
        (#"{"type":"string","contentEncoding":"base64"}"#, "contentEncoding"),
        (#"{"type":"string","nullable":true}"#, "nullable"),
        (#"{"type":"string","pattern":"[a-z]+"}"#, "pattern"),
        (#"{"type":"string","pattern":"^[a-z]+"}"#, "pattern"),
        (#"{"type":"string","pattern":"^a|b$"}"#, "pattern"),
        (#"{"type":"string","pattern":"^(?=a)b$"}"#, "pattern"),
        (#"{"type":"string","pattern":"^(?!a)b$"}"#, "pattern"),
        (#"{"type":"string","pattern":"^(?<n>a)$"}"#, "pattern"),
        (#"{"type":"string","pattern":"^(a)\\1$"}"#, "pattern"),
        (#"{"type":"string","pattern":"^\\bword$"}"#, "pattern"),
        (#"{"type":"string","pattern":"^\\p{L}+$"}"#, "pattern"),
        (#"{"type":"string","pattern":"^a^b$"}"#, "pattern"),
        (#"{"type":"string","pattern":"^(a*)*$"}"#, "pattern"),
        (#"{"type":"string","pattern":"^a{5,2}$"}"#, "pattern"),
        (#"{"type":"string","pattern":"^a{9999}$"}"#, "pattern"),
        (#"{"type":"string","pattern":"^(a$"}"#, "pattern"),
        (#"{"type":"string","pattern":"^[a$"}"#, "pattern"),
        (#"{"type":"string","pattern":"^a+","minLength":3}"#, "pattern"),
        (#"{"type":"string","pattern":"^[a]*$","minLength":3}"#, "minLength"),
        (#"{"type":"string","pattern":"^[a]+$","maxLength":3}"#, "maxLength"),
        (#"{"type":"string","format":"date","maxLength":5}"#, "maxLength"),
        (#"{"type":"string","format":"date","pattern":"^a$"}"#, "pattern"),
        (#"{"type":"string","minLength":5,"maxLength":4}"#, "maxLength"),
        (#"{"type":"string","minLength":-1}"#, "minLength"),
        (#"{"type":"string","minLength":99999}"#, "minLength"),
        (#"{"type":"string","minimum":1}"#, "minimum"),
        (#"{"type":"strnig"}"#, "type"),
        (#"{"type":[]}"#, "type"),
        (#"{"type":"integer","minimum":5,"maximum":4}"#, "type"),
        (#"{"type":"integer","minimum":true}"#, "minimum"),
        (#"{"type":"integer","exclusiveMinimum":true,"minimum":1}"#, "exclusiveMinimum"),
        (#"{"type":"number","minimum":1,"exclusiveMaximum":1}"#, "type"),
        (#"{"enum":[]}"#, "enum"),
        (#"{"enum":["a"],"type":"integer"}"#, "enum"),
        (#"{"const":"abc","maxLength":2}"#, "maxLength"),
        (#"{"anyOf":[]}"#, "anyOf"),
        (#"{"anyOf":[{"type":"string"}],"minLength":2}"#, "minLength"),
        (#"{"anyOf":[{"type":"string"},{}],"type":"string"}"#, "type"),
        (#"{"oneOf":[{"type":"string"},{"type":"string","maxLength":3}]}"#, "oneOf"),
        (#"{"oneOf":[{"type":"number"},{"type":"integer"}]}"#, "oneOf"),
        (#"{"oneOf":[{"enum":[1,2]},{"enum":[2.0]}]}"#, "oneOf"),
        (
            #"{"oneOf":[{"type":"object","properties":{"k":{"const":"a"}}},"#
                + #"{"type":"object","properties":{"k":{"const":"b"}}}]}"#, "oneOf"
        ),
        (#"{"allOf":[{"type":"object"},{"type":"object"}]}"#, "allOf"),
        (#"{"anyOf":[{"type":"null"},{"type":"string","format":"ean"}]}"#, "anyOf[1].format"),
        (#"{"type":"array","items":{"type":"string","pattern":"a"}}"#, "items.pattern"),
        (#"{"type":"array","prefixItems":[{"not":{}}],"maxItems":1}"#, "prefixItems[0].not"),
        (#"{"type":"array","prefixItems":[{},{}],"maxItems":1}"#, "prefixItems"),
        (#"{"type":"array","prefixItems":[{}],"minItems":2}"#, "prefixItems"),
        (#"{"type":"object","additionalProperties":{"not":{}}}"#, "additionalProperties.not"),
        (#"{"type":"object","additionalProperties":false,"required":["a"]}"#, "required"),
        (#"{"type":"object","required":"a"}"#, "required"),
        (#"{"type":"object","properties":[]}"#, "properties"),
        (#"{"$ref":"https://example.com/schema"}"#, "$ref"),
        (#"{"$ref":"other.json#/a"}"#, "$ref"),
        (##"{"$ref":"#anchor"}"##, "$ref"),
        (##"{"$ref":"#/$defs/nothing"}"##, "$ref"),
        (#"{"$ref":1}"#, "$ref"),
        (##"{"$ref":"#","maxLength":1}"##, "maxLength"),
        (##"{"$dynamicRef":"#a"}"##, "$dynamicRef"),
        (#"{"$id":"x"}"#, "$id"),
        (#"{"x-mine":1}"#, "x-mine"),
        ("false", ""),
        ("3", ""),
    ]

    @Test(arguments: keywords) func namesTheKeyword(_ schema: String, _ path: String) throws {
        let error = #expect(throws: SchemaError.self) {
            try JSONSchema(parsing: Self.property(schema))
        }
        #expect(error?.path == "properties.x" + (path.isEmpty ? "" : ".\(path)"))
    }

    @Test func namesTheParameterForClients() throws {
        let error = #expect(throws: SchemaError.self) {
            try JSONSchema(parsing: Self.property(#"{"type":"number","multipleOf":2}"#))
        }
        let told = error?.apiError(in: "response_format.json_schema.schema")
        #expect(told?.parameter == "response_format.json_schema.schema.properties.x.multipleOf")
        #expect(told?.kind == .invalidValue)
    }

    @Test(arguments: [
        // Never ends.
        (##"{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}"##, ""),
        (##"{"$ref":"#"}"##, ""),
        (
            ##"{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"}"##,
            "$defs.a"
        ),
        // Begins with itself.
        (
            ##"{"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"},{"type":"null"}]}},"$ref":"#/$defs/a"}"##,
            "$defs.a"
        ),
    ])
    func refusesReferencesThatGoNowhere(_ schema: String, _ path: String) throws {
        let error = #expect(throws: SchemaError.self) { try JSONSchema(parsing: schema) }
        #expect(error?.path == path)
    }

    @Test func isBounded() throws {
        let deep =
            String(repeating: #"{"items":"#, count: 40) + "{}" + String(repeating: "}", count: 40)
        #expect(throws: SchemaError.self) { try JSONSchema(parsing: deep) }
        let wide = Self.property(
            #"{"anyOf":["# + Array(repeating: "{}", count: 3_000).joined(separator: ",") + "]}")
        #expect(throws: SchemaError.self) { try JSONSchema(parsing: wide) }
        let values = (0..<1_100).map(String.init).joined(separator: ",")
        #expect(throws: SchemaError.self) { try JSONSchema(parsing: #"{"enum":[\#(values)]}"#) }
        let long = String(repeating: "x", count: 2_000)
        let pattern = #"{"type":"string","pattern":"^\#(long)$"}"#
        #expect(throws: SchemaError.self) { try JSONSchema(parsing: pattern) }
        let texts = (0..<200).map { "\"\($0)\(long)\"" }.joined(separator: ",")
        let large = try JSONSchema(parsing: #"{"enum":[\#(texts)]}"#)
        #expect(throws: SchemaError.self) { try large.grammar() }
    }

    @Test(arguments: [
        #"{"title":"T","description":"d","default":1,"examples":[1],"deprecated":true}"#,
        #"{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://x/y"}"#,
        #"{"$comment":"c","readOnly":true,"writeOnly":false,"definitions":{"unused":{"not":{}}}}"#,
        #"{"allOf":[{"type":"string"}],"title":"wrapped"}"#,
        #"{"oneOf":[{"type":"string"},{"type":"integer"},{"type":"null"}]}"#,
        #"{"oneOf":[{"const":"a"},{"const":"b"}],"discriminator":{"propertyName":"k"}}"#,
        #"{"oneOf":[{"type":"object","properties":{"k":{"const":"a"}},"required":["k"]},"#
            + #"{"type":"object","properties":{"k":{"const":"b"}},"required":["k"]}]}"#,
        #"{"type":["string","null"],"maxLength":3}"#,
        #"{"type":"string","format":"date","minLength":10,"maxLength":10}"#,
        #"{"type":"integer","minimum":1.5,"exclusiveMaximum":3}"#,
        #"{"type":"array","items":[{"type":"string"}],"additionalItems":false}"#,
        #"{"type":"array","items":false}"#,
        #"true"#,
    ])
    func takesWhatSaysNothingOrIsEnforced(_ schema: String) throws {
        _ = try JSONSchema(parsing: schema).grammar()
    }
}
