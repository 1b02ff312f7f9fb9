import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct ResponsesInputItemsTests {
    static let body = #"""
        {"input":[{"role":"system","content":"s"},
        {"type":"message","id":"m2","role":"user","content":[{"type":"input_text","text":"漢\n"}]},
        {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
        {"type":"function_call_output","call_id":"c","output":"12"},
        {"role":"assistant","content":"a"}],"model":"m"}
        """#

    private func list(_ target: String, _ body: String = Self.body) throws -> String {
        let page = try ResponsesItemPage(Query(of: target))
        var buffer = ByteBuffer()
        try ResponsesFormat.writeInputItems(
            of: ByteBuffer(string: body), responseID: "resp_1", page, into: &buffer)
        // Content that the client sent as JSON may hold line breaks between its parts.
        return buffer.text
    }

    @Test func equalsTheGoldenFiles() throws {
        #expect(try list("/?order=asc") == Fixture.text("input-items.json"))
        #expect(
            try list("/?limit=2&after=msg_1_in4") == Fixture.text("input-items-page.json"))
    }

    @Test func textIsOneMessage() throws {
        let value = try JSONValue(parsing: list("/", #"{"input":"a\"b","model":"m"}"#))
        #expect(value["data"]?[0]?["content"]?[0]?["text"] == .string("a\"b"))
        #expect(value["first_id"] == .string("msg_1_in0"))
    }

    @Test func pagesMeet() throws {
        var seen: [JSONValue] = []
        var target = "/?order=asc&limit=2"
        while true {
            let value = try JSONValue(parsing: list(target))
            guard case .array(let data)? = value["data"] else { break }
            seen += data.compactMap { $0["id"] }
            guard value["has_more"] == .bool(true), case .string(let last)? = value["last_id"]
            else { break }
            target = "/?order=asc&limit=2&after=" + last
        }
        #expect(
            seen
                == ["msg_1_in0", "m2", "fc_1_in2", "fco_1_in3", "msg_1_in4"].map(
                    JSONValue.string))
    }

    @Test(arguments: [
        ("/?limit=0", "limit"), ("/?limit=101", "limit"), ("/?order=up", "order"),
        ("/?after=nobody", "after"),
    ])
    func refusesPages(_ target: String, _ parameter: String) {
        let error = #expect(throws: APIError.self) { try list(target) }
        #expect(error?.parameter == parameter)
    }
}
