import HTTPTransport
import InferenceAPI
import NIOCore
import Storage

/// `/v1/files` (OpenAI, "Files"; docs.x.ai, "Files").
extension GatewayService {
    func createFile(_ request: Request) throws(APIError) -> any HTTPServerStreamReceiver {
        try refuseWhileDraining()
        return try UploadExchange(request, storage: keptState(), metrics: core.metrics)
    }

    func files(_ request: Request) throws(APIError) -> any HTTPServerStreamReceiver {
        let owner = request.principal.owner
        let page = try PageRequest(request.head.path)
        let after = Query(of: request.head.path)["after"]
        return try lookUp(request) { storage throws(APIError) in
            let found = try kept("file") { () throws(StorageError) in
                var before = page.position
                if let after { before = try storage.position(ofFile: after, of: owner) }
                return try storage.files(of: owner, before: before, limit: page.limit)
            }
            var reply = LookupExchange.Reply()
            FileDescription.write(
                found.items.map { FileDescription($0) }, next: found.next.map(String.init),
                into: &reply.body)
            return reply
        }
    }

    func file(_ request: Request, id: String) throws(APIError) -> any HTTPServerStreamReceiver {
        let owner = request.principal.owner
        return try lookUp(request) { storage throws(APIError) in
            let file = try kept("file") { () throws(StorageError) in
                try storage.file(id, of: owner)
            }
            var reply = LookupExchange.Reply()
            FileDescription(file).write(into: &reply.body)
            return reply
        }
    }

    func deleteFile(
        _ request: Request, id: String
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        let owner = request.principal.owner
        return try lookUp(request) { storage throws(APIError) in
            try kept("file") { () throws(StorageError) in
                // Uploads that have not ended are nobody's to see.
                _ = try storage.file(id, of: owner)
                try storage.deleteFile(id, of: owner)
            }
            var reply = LookupExchange.Reply()
            reply.body.writeStaticString("{\"id\":")
            reply.body.writeJSONString(id)
            reply.body.writeStaticString(",\"object\":\"file\",\"deleted\":true}")
            return reply
        }
    }

    func fileContent(
        _ request: Request, id: String
    ) throws(APIError) -> any HTTPServerStreamReceiver {
        ContentExchange(request, id: id, storage: try keptState(), metrics: core.metrics)
    }

    func refuseWhileDraining() throws(APIError) {
        guard core.status.isDraining else { return }
        throw APIError(.draining, "This gateway is shutting down; try another one.")
    }
}

/// Which part of a list is asked for: `limit`, and the `pagination_token` of the part before.
struct PageRequest: Sendable {
    private static let limits = 1...1_000

    var limit = 100
    var position: Int64?

    init(limit: Int?, token: String?) throws(APIError) {
        if let limit {
            guard Self.limits.contains(limit) else {
                throw APIError(
                    .invalidValue,
                    "'limit': Expected an integer between \(Self.limits.lowerBound) and "
                        + "\(Self.limits.upperBound).", parameter: "limit")
            }
            self.limit = limit
        }
        guard let token else { return }
        guard let position = Int64(token), position > 0 else {
            throw APIError(
                .invalidValue, "'pagination_token': Expected one that an earlier answer had.",
                parameter: "pagination_token")
        }
        self.position = position
    }

    /// Of a target's query.
    init(_ target: String) throws(APIError) {
        let query = Query(of: target)
        try self.init(
            limit: try query.integer("limit", in: Self.limits), token: query["pagination_token"])
    }
}
