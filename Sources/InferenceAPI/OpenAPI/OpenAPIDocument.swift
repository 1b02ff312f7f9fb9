package import NIOCore

/// The description of the API as OpenAPI 3.1, written from the endpoint table.
package enum OpenAPIDocument {
    /// The answer to `GET /openapi.json`.
    package static let text: ByteBuffer = {
        var buffer = ByteBuffer()
        document.write(into: &buffer)
        return buffer
    }()

    static let document: JSONNode = [
        "openapi": "3.1.0",
        "info": [
            "title": "Switchyard", "version": "1",
            "description": .string(
                "An inference gateway. `null` stands for an absent field; fields that are not "
                    + "named are ignored. What is honoured, ignored and refused: "
                    + "docs/api-compatibility.md."),
            "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
        ],
        "servers": [["url": "/"]],
        "tags": .array(OperationDescription.Tag.allCases.map { ["name": .string($0.rawValue)] }),
        "security": [["bearer": []], ["key": []], [:]],
        "paths": paths,
        "components": [
            "schemas": .object(OpenAPISchemas.all),
            "securitySchemes": [
                "bearer": ["type": "http", "scheme": "bearer"],
                "key": ["type": "apiKey", "in": "header", "name": "x-api-key"],
            ],
        ],
    ]

    /// One server-sent event.
    private static let event = Schema.object(["event?": Schema.string, "data?": Schema.string])

    /// Operations of one path stand together, where its first row is.
    private static var paths: JSONNode {
        var paths: JSONNode = [:]
        for row in Endpoint.table {
            let path = String(row.path.filter { $0 != "*" })
            var item = paths[path] ?? [:]
            item[row.method.lowercased()] = operation(row)
            paths[path] = item
        }
        return paths
    }

    private static func operation(_ row: Endpoint.Row) -> JSONNode {
        let description = row.operation.openAPI
        var operation: JSONNode = [
            "operationId": .string(row.operation.rawValue),
            "summary": .string(description.summary),
            "tags": [.string(description.tag.rawValue)],
        ]
        if description.isPublic { operation["security"] = [] }
        var parameters: [JSONNode] = []
        if let id = description.id {
            parameters.append([
                "name": "id", "in": "path", "required": true, "description": .string(id),
                "schema": Schema.string(max: 512, min: 1),
            ])
        }
        for parameter in description.parameters {
            parameters.append([
                "name": .string(parameter.name), "in": .string(parameter.place.rawValue),
                "description": .string(parameter.description), "schema": parameter.schema,
            ])
        }
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        switch description.body {
        case nil: break
        case .json(let schema)?:
            operation["requestBody"] = [
                "required": true, "content": ["application/json": ["schema": schema]],
            ]
        case .multipart(let schema)?:
            operation["requestBody"] = [
                "required": true, "content": ["multipart/form-data": ["schema": schema]],
            ]
        }
        operation["responses"] = responses(description)
        return operation
    }

    private static func responses(_ description: OperationDescription) -> JSONNode {
        var responses: JSONNode = [:]
        for (status, text, answer) in description.answers {
            var response: JSONNode = ["description": .string(text)]
            switch answer {
            case .json(let schema):
                response["content"] = ["application/json": ["schema": schema]]
            case .jsonOrEvents(let schema):
                response["content"] = [
                    "application/json": ["schema": schema],
                    "text/event-stream": ["schema": event],
                ]
            case .bytes:
                response["content"] = ["application/octet-stream": ["schema": Schema.any]]
            case .none: break
            }
            responses["\(status)"] = response
        }
        var kinds = OperationDescription.ofAll + description.errors
        if !description.isPublic { kinds += [.unauthenticated, .permissionDenied] }
        let statuses = Set(
            kinds.map {
                description.usesAnthropicErrors ? $0.status.anthropicHTTP : $0.status.http
            })
        let schema = Schema.reference(
            description.usesAnthropicErrors ? "AnthropicError" : "Error")
        for status in statuses.sorted() {
            let names = kinds.filter {
                (description.usesAnthropicErrors ? $0.status.anthropicHTTP : $0.status.http)
                    == status
            }.map(\.rawValue)
            responses["\(status)"] = [
                "description": .string(
                    names.isEmpty ? "Refused." : names.joined(separator: ", ") + "."),
                "content": ["application/json": ["schema": schema]],
            ]
        }
        return responses
    }
}
