import Foundation
import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct OpenAPITests {
    private static let document = OpenAPIDocument.document

    @Test func isJSON() throws {
        let text = Data(OpenAPIDocument.text.readableBytesView)
        let object = try JSONSerialization.jsonObject(with: text) as? [String: Any]
        #expect(object?["openapi"] as? String == "3.1.0")
    }

    /// Every row of the endpoint table has an operation, and nothing else has.
    @Test func describesTheEndpointTable() throws {
        let paths = try #require(Self.document["paths"])
        var found: Set<String> = []
        for path in paths.names {
            for method in try #require(paths[path]).names {
                let operation = try #require(paths[path]?[method])
                found.insert("\(method.uppercased()) \(path)")
                #expect(operation["summary"] != nil && operation["responses"] != nil)
                #expect(path.contains("{id}") == Self.hasID(operation), "\(method) \(path)")
            }
        }
        let rows = Endpoint.table.map { "\($0.method) \($0.path.filter { $0 != "*" })" }
        #expect(found == Set(rows))
        #expect(found.count == rows.count)
    }

    private static func hasID(_ operation: JSONNode) -> Bool {
        guard case .array(let parameters)? = operation["parameters"] else { return false }
        return parameters.contains { $0["in"] == "path" && $0["name"] == "id" }
    }

    @Test func operationsHaveNamesOfTheirOwn() {
        let operations = Endpoint.table.map(\.operation)
        #expect(Set(operations).count == operations.count)
        #expect(Set(operations) == Set(Endpoint.Operation.allCases))
    }

    @Test func referencesLeadSomewhere() throws {
        let schemas = try #require(Self.document["components"]?["schemas"])
        var references: Set<String> = []
        Self.collect(Self.document, into: &references)
        for reference in references {
            let name = reference.split(separator: "/").last.map(String.init) ?? ""
            #expect(reference == "#/components/schemas/\(name)" && schemas[name] != nil)
        }
        #expect(Set(schemas.names).count == schemas.names.count)
    }

    private static func collect(_ node: JSONNode, into references: inout Set<String>) {
        switch node {
        case .array(let elements): for element in elements { collect(element, into: &references) }
        case .object(let members):
            for member in members {
                if member.name == "$ref", case .string(let reference) = member.value {
                    references.insert(reference)
                }
                collect(member.value, into: &references)
            }
        default: break
        }
    }

    private static func names<Field: CaseIterable & RawRepresentable>(
        _: Field.Type
    ) -> Set<String> where Field.RawValue == String {
        Set(Field.allCases.map(\.rawValue))
    }

    /// The fields that the documents tell of are those that the decoders look at.
    @Test func bodiesHaveTheDecodersFields() {
        check(.chat, Self.names(FaceField<ChatRequestDecoder.Field>.self))
        check(.responses, Self.names(FaceField<ResponsesRequestDecoder.Field>.self))
        check(.messages, Self.names(FaceField<MessagesRequestDecoder.Field>.self))
        check(.countTokens, Self.names(FaceField<MessagesRequestDecoder.Field>.self))
        check(.completions, Self.names(FaceField<CompletionsRequestDecoder.Field>.self))
        check(.complete, Self.names(FaceField<LegacyCompleteDecoder.Field>.self))
        check(.embeddings, Self.names(EmbeddingsRequestDecoder.Field.self))
        check(.tokenizeText, Self.names(TokenizeTextRequest.Field.self))
    }

    private func check(_ body: BodyDescription, _ fields: Set<String>) {
        let described = body.fields.map(\.name)
        #expect(Set(described).count == described.count, "\(body.name) has a field twice")
        let different = Set(described).symmetricDifference(fields).sorted()
        #expect(different.isEmpty, "\(body.name)")
    }

    /// `docs/api-compatibility.md` has the fields' tables. With `WRITE_DOCS=1` they are written.
    @Test func theDocumentHasTheTables() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../../docs/api-compatibility.md").standardizedFileURL
        var text = try String(contentsOf: file, encoding: .utf8)
        let writes = ProcessInfo.processInfo.environment["WRITE_DOCS"] != nil
        let start = try #require(text.range(of: "<!-- fields: begin -->\n")?.upperBound)
        let end = try #require(text.range(of: "<!-- fields: end -->")?.lowerBound)
        let tables = BodyDescription.all.map(\.table).joined(separator: "\n")
        if writes {
            text.replaceSubrange(start..<end, with: tables)
            try text.write(to: file, atomically: true, encoding: .utf8)
        } else {
            #expect(text[start..<end] == tables, "WRITE_DOCS=1 writes it")
        }
    }
}

extension BodyDescription {
    fileprivate var table: String {
        var table = "### \(title)\n\n| Field | | |\n|---|---|---|\n"
        for field in fields {
            let name = field.isRequired ? "`\(field.name)` (required)" : "`\(field.name)`"
            table += "| \(name) | \(field.verdict.rawValue) | \(field.note) |\n"
        }
        return table
    }
}
