import Testing

@testable import InferenceAPI

@Suite struct JSONReaderTests {
    /// Why a document is refused, or nil when it is whole and valid.
    static func error(_ bytes: [UInt8], _ limits: JSONLimits = JSONLimits()) -> JSONError? {
        var reader = JSONReader(bytes, limits: limits)
        do {
            try reader.skipValue()
            try reader.finish()
            return nil
        } catch { return error }
    }

    static func error(_ text: String) -> JSONError? { error(Array(text.utf8)) }

    static let valid = [
        "null", "true", "false", "0", "-0", "1", "-1", "10", "123456789", "0.5", "-0.5", "1.0",
        "1e5", "1E5", "1e+5", "1e-5", "0e0", "0.0e-0", "1.25e10", "9223372036854775807",
        "-9223372036854775808", "18446744073709551616", "1e308", "123456789012345678901234567890",
        "\"\"", "\"a\"", "\"\\\"\"", "\"\\\\\"", "\"\\/\"", "\"\\b\\f\\n\\r\\t\"", "\"\\u0041\"",
        "\"\\u0000\"", "\"\\uD83D\\uDE00\"", "\"\\ud83d\\ude00\"", "\"\\uFFFF\"", "\"\\uE000\"",
        "\"\u{7F}\"", "\"\u{2028}\u{2029}\"", "\"é漢😀\"", "\"\\u00e9\"", "\"//\"",
        "[]", "[ ]", "[1]", "[1,2]", " [ 1 , 2 ] ", "[[]]", "[[],[]]", "[null,true,false,0,\"\"]",
        "{}", "{ }", "{\"a\":1}", "{ \"a\" : 1 , \"b\" : [ ] }", "{\"\":0}", "{\"a\":1,\"a\":2}",
        "{\"a\":{\"b\":{\"c\":[{}]}}}", "\t\n\r null \t\n\r", "[\"a\",\"b\",\"c\"]",
        "{\"\\u0061\":1}", "[{},{},[]]", "[1e1,2E2,-3e-3]",
    ]

    @Test(arguments: valid) func accepts(_ text: String) {
        #expect(Self.error(text) == nil)
    }

    /// A document and the byte at which it stops being JSON.
    static let invalid: [(String, Int)] = [
        ("", 0), (" ", 1), ("nul", 3), ("nulL", 3), ("NULL", 0), ("tru", 3), ("True", 0),
        ("falsy", 4), ("undefined", 0), ("NaN", 0), ("Infinity", 0), ("-Infinity", 1),
        ("+1", 0), ("01", 1), ("-01", 2), ("00", 1), ("-", 1), ("--1", 1), ("1.", 2), (".5", 0),
        ("1.e5", 2), ("1e", 2), ("1e+", 3), ("1e5.5", 3), ("1.5.5", 3), ("0x10", 1), ("1_000", 1),
        ("1 2", 2), ("1,", 1), ("1a", 1), ("0b1", 1), ("- 1", 1), ("1e 5", 2),
        ("\"", 1), ("\"a", 2), ("\"\\", 2), ("\"\\\"", 3), ("'a'", 0), ("\"\\x41\"", 1),
        ("\"\\a\"", 1), ("\"\\u\"", 1), ("\"\\u12\"", 1), ("\"\\u123\"", 1), ("\"\\u123g\"", 1),
        ("\"\\U0041\"", 1), ("\"\\0\"", 1), ("\"a\nb\"", 2), ("\"a\tb\"", 2), ("\"\u{0}\"", 1),
        ("\"\u{1F}\"", 1), ("\"\\uD800\"", 1), ("\"\\uDC00\"", 1), ("\"\\uD800\\u0041\"", 1),
        ("\"\\uD800\\uD800\"", 1), ("\"\\uDE00\\uD83D\"", 1), ("\"\\uD83D\\n\"", 1),
        ("\"\\uD83Dx\"", 1), ("\"x\\uD83D\"", 2), ("\"a\" \"b\"", 4), ("\"a\"b", 3),
        ("[", 1), ("[1", 2), ("[1,", 3), ("[1,]", 3), ("[,1]", 1), ("[,]", 1), ("[1 2]", 3),
        ("[1,,2]", 3), ("[1}", 2), ("]", 0), ("[]]", 2), ("[[]", 3), ("[1:2]", 2), ("[\"a\":1]", 4),
        ("{", 1), ("{\"a\"", 4), ("{\"a\":", 5), ("{\"a\":1", 6), ("{\"a\":1,", 7),
        ("{\"a\":1,}", 7), ("{,}", 1), ("{a:1}", 1), ("{1:1}", 1), ("{'a':1}", 1),
        ("{\"a\" 1}", 5), ("{\"a\",1}", 4), ("{\"a\":1 \"b\":2}", 7), ("{\"a\":1]", 6), ("}", 0),
        ("{}}", 2), ("{\"a\":}", 5), ("{null:1}", 1), ("{\"a\":1;}", 6), ("{\"\\x\":1}", 2),
        ("[1]//c", 3), ("/*c*/1", 0), ("#c", 0), ("\u{FEFF}1", 0), ("\u{A0}1", 0), ("\u{B}1", 0),
        ("[1]\u{0}", 3), ("\u{2028}1", 0), ("{\"a\":tru}", 8), ("[nul]", 4),
    ]

    @Test(arguments: invalid) func refuses(_ text: String, at offset: Int) throws {
        let error = try #require(Self.error(text))
        #expect(error.offset == offset, "\(error)")
        #expect(error.isMalformed)
    }

    /// Bytes inside quotes and where, counted from the quote, they are not UTF-8.
    static let invalidUTF8: [([UInt8], Int)] = [
        ([0x80], 1), ([0xBF], 1), ([0xC0, 0x80], 1), ([0xC1, 0xBF], 1), ([0xC3], 1),
        ([0x61, 0xC3, 0x28], 2), ([0xE2, 0x82], 1), ([0xE2, 0x28, 0xA1], 1),
        ([0xE0, 0x80, 0x80], 1), ([0xED, 0xA0, 0x80], 1), ([0xED, 0xBF, 0xBF], 1),
        ([0xF0, 0x9F, 0x98], 1), ([0xF0, 0x80, 0x80, 0x80], 1), ([0xF4, 0x90, 0x80, 0x80], 1),
        ([0xF5, 0x80, 0x80, 0x80], 1), ([0xFE], 1), ([0xFF], 1), ([0x61, 0x62, 0xFF], 3),
        ([0xC3, 0xA9, 0xC3], 3),
    ]

    @Test(arguments: invalidUTF8) func refusesInvalidUTF8(_ content: [UInt8], at offset: Int) {
        let quoted = [0x22] + content + [0x22]
        #expect(Self.error(quoted) == JSONError(reason: .invalidUTF8, offset: offset))
        // In a key, beside an escape, and when the string is read and not skipped.
        let key = [0x7B] + quoted + Array(":1}".utf8)
        #expect(Self.error(key) == JSONError(reason: .invalidUTF8, offset: offset + 1))
        let escaped = [0x22] + content + Array("\\n\"".utf8)
        #expect(Self.error(escaped) == JSONError(reason: .invalidUTF8, offset: offset))
        var reader = JSONReader(quoted)
        #expect(throws: JSONError(reason: .invalidUTF8, offset: offset)) {
            try reader.readString()
        }
    }

    @Test func refusesNonASCIIOutsideOfStrings() {
        #expect(Self.error([0xC3, 0xA9])?.offset == 0)
        #expect(Self.error([0x5B, 0xFF, 0x5D])?.offset == 1)
    }

    @Test func limitsDepth() {
        var limits = JSONLimits()
        limits.depth = 3
        #expect(Self.error(Array("[[[1]]]".utf8), limits) == nil)
        let deep = JSONError(reason: .tooDeep(limit: 3), offset: 3)
        #expect(Self.error(Array("[[[[1]]]]".utf8), limits) == deep)
        #expect(Self.error(Array("[[[{}]]]".utf8), limits) == deep)
        limits.depth = 64
        let most = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(Self.error(Array(most.utf8), limits) == nil)
        let flood = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
        #expect(Self.error(flood, limits)?.offset == 64)
    }

    @Test func limitsStringsAndNumbers() {
        var limits = JSONLimits()
        limits.stringBytes = 4
        limits.numberBytes = 4
        #expect(Self.error(Array("[\"abcd\",1234]".utf8), limits) == nil)
        #expect(
            Self.error(Array("[\"abcde\"]".utf8), limits)
                == JSONError(reason: .stringTooLong(limitBytes: 4), offset: 1))
        #expect(
            Self.error(Array("[12345]".utf8), limits)
                == JSONError(reason: .numberTooLong(limitBytes: 4), offset: 1))
    }

    @Test func resolvesEscapes() throws {
        let cases = [
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e9\u6F22""#, "Aé漢"),
            (#""\uD83D\uDE00!""#, "😀!"), (#""\uDBFF\uDFFF""#, "\u{10FFFF}"),
            (#""\uD800\uDC00""#, "\u{10000}"), (#""x\u0000y""#, "x\u{0}y"),
            (#""é\n漢\t😀""#, "é\n漢\t😀"), (#""\uffff""#, "\u{FFFF}"),
        ]
        for (json, text) in cases {
            var reader = JSONReader(Array(json.utf8))
            #expect(try reader.readString() == text)
            try reader.finish()
        }
    }

    @Test func integersAreExactOrRefused() throws {
        let exact: [(String, Int64)] = [
            ("0", 0), ("-0", 0), ("9223372036854775807", .max), ("-9223372036854775808", .min),
            ("2.0", 2), ("1e3", 1_000), ("-1.5e1", -15), ("9007199254740992.0", 1 << 53),
        ]
        for (text, value) in exact {
            var reader = JSONReader(Array(text.utf8))
            #expect(try reader.readInteger() == value)
        }
        let refused: [(String, JSONError.Reason)] = [
            ("9223372036854775808", .outOfRange), ("-9223372036854775809", .outOfRange),
            ("18446744073709551617", .outOfRange), ("99999999999999999999999", .outOfRange),
            ("1.5", .notAnInteger), ("1e-1", .notAnInteger), ("1e300", .outOfRange),
            ("9007199254740994.0", .outOfRange), ("1e999", .outOfRange),
        ]
        for (text, reason) in refused {
            var reader = JSONReader(Array(text.utf8))
            #expect(throws: JSONError(reason: reason, offset: 0)) { try reader.readInteger() }
        }
    }

    @Test func doublesAreTheNearest() throws {
        let texts = [
            "0.1", "0.2", "0.3", "1e22", "1e23", "123456789012345678", "9007199254740993",
            "2.2250738585072011e-308", "5e-324", "2.4703282292062328e-324",
            "1.7976931348623157e308",
            "0.1000000000000000055511151231257827", "3.14159265358979323846", "1e-400",
            "0e999999999",
            "123456789e-30", "8.5e-7",
        ]
        for text in texts {
            var reader = JSONReader(Array(text.utf8))
            let value = try reader.readDouble()
            #expect(value == Double(text), "\(text)")
        }
        var negative = JSONReader(Array("-0".utf8))
        #expect(try negative.readDouble().sign == .minus)
        for text in ["1e309", "-1e309", "1e99999999999999999999"] {
            var reader = JSONReader(Array(text.utf8))
            #expect(throws: JSONError(reason: .outOfRange, offset: 0)) { try reader.readDouble() }
        }
    }

    @Test func numbersKeepTheirKind() throws {
        for (text, number) in [
            ("7", JSONNumber.integer(7)), ("7.0", .double(7)), ("7e0", .double(7)),
            ("9223372036854775808", .double(9_223_372_036_854_775_808)),
        ] {
            var reader = JSONReader(Array(text.utf8))
            #expect(try reader.readNumber() == number)
        }
    }

    @Test func wrongTypesNameBothKinds() {
        var reader = JSONReader(Array("  [1]".utf8))
        let expected = JSONError(
            reason: .wrongType(expected: .string, found: .array), offset: 2)
        #expect(throws: expected) { try reader.readString() }
        // Nothing was consumed.
        #expect(throws: Never.self) { try reader.skipValue() }
    }

    @Test func skippingStopsAfterOneValue() throws {
        var reader = JSONReader(Array(#"[{"a":[1,{"b":2}]},"x",3]"#.utf8))
        try reader.beginArray()
        #expect(try reader.nextElement())
        try reader.skipValue()
        #expect(try reader.nextElement())
        #expect(try reader.readString() == "x")
        #expect(try reader.nextElement())
        #expect(try reader.readInteger() == 3)
        #expect(try reader.nextElement() == false)
        try reader.finish()
    }

    @Test func everyPrefixOfADocumentIsRefused() {
        let text = #"{"a":[1,-2.5e+3,"x\n\u00e9",true,false,null],"b":{"c":"漢"}}"#
        let bytes = Array(text.utf8)
        #expect(Self.error(bytes) == nil)
        for length in 0..<bytes.count {
            #expect(Self.error(Array(bytes[..<length])) != nil, "\(length)")
        }
    }
}
