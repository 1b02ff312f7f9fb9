import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct JSONPathTests {
    static let document = #"{"a":1,"m":[{"c":"x"},{"c":[10,{"t":true}],"d":{}}],"z":[[],[5]]}"#

    static let places: [(String, String)] = [
        ("1,", "a"), ("[{", "m"), ("{\"c\":\"x", "m[0]"), ("\"x\"", "m[0].c"), ("[10", "m[1].c"),
        ("10", "m[1].c[0]"), ("true", "m[1].c[1].t"), ("{}", "m[1].d"), ("5]", "z[1][0]"),
        ("[[]", "z"), ("[],[5", "z[0]"),
    ]

    @Test(arguments: places) func names(_ needle: String, _ path: String) throws {
        let bytes = Array(Self.document.utf8)
        let pattern = Array(needle.utf8)
        let offset = try #require(
            bytes.indices.first { bytes[$0...].starts(with: pattern) })
        #expect(JSONPath.locate(offset, in: ByteBuffer(bytes: bytes), limits: JSONLimits()) == path)
    }

    @Test func namesTheRootByNothing() {
        #expect(JSONPath.locate(0, in: ByteBuffer(string: "[1]"), limits: JSONLimits()) == "")
    }

    @Test func neverTrapsOnAnyOffset() {
        let bytes = Array(Self.document.utf8)
        for offset in 0...bytes.count + 1 {
            _ = JSONPath.locate(offset, in: ByteBuffer(bytes: bytes), limits: JSONLimits())
            _ = JSONPath.locate(
                offset, in: ByteBuffer(bytes: bytes.prefix(offset / 2)), limits: JSONLimits())
        }
    }

    @Test func shortensLongKeys() {
        let key = String(repeating: "k", count: 500)
        let bytes = Array("{\"\(key)\":1}".utf8)
        #expect(
            JSONPath.locate(504, in: ByteBuffer(bytes: bytes), limits: JSONLimits()).count == 64)
    }
}
