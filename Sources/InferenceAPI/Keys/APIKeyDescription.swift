package import NIOCore

/// What the holder of an API key is told of it (docs.x.ai, `GET /v1/api-key`; gRPC
/// `Auth/get_api_key_info`). Holds nothing that the key could be guessed from.
package struct APIKeyDescription: Hashable, Sendable {
    /// Enough to tell one's keys apart; empty where no key is asked for.
    package var redactedKey: String
    package var apiKeyID: String
    package var userID: String
    package var teamID: String
    package var name: String
    /// Unix seconds: when the file with the key was read.
    package var created: Int
    package var modified: Int
    package var modifiedBy: String
    /// Which models and endpoints it may use.
    package var acls = ["api-key:model:*", "api-key:endpoint:*"]
    /// Prompts and answers of its team are never kept.
    package var storesNothing = false
    package var isTeamBlocked = false
    package var isBlocked = false
    package var isDisabled = false

    package init(
        redactedKey: String, apiKeyID: String, userID: String, teamID: String, name: String,
        loaded: Int
    ) {
        self.redactedKey = redactedKey
        self.apiKeyID = apiKeyID
        self.userID = userID
        self.teamID = teamID
        self.name = name
        created = loaded
        modified = loaded
        modifiedBy = userID
    }

    /// Appends the answer to `GET /v1/api-key`.
    package func write(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"redacted_api_key\":")
        buffer.writeJSONString(redactedKey)
        buffer.writeStaticString(",\"user_id\":")
        buffer.writeJSONString(userID)
        buffer.writeStaticString(",\"name\":")
        buffer.writeJSONString(name)
        buffer.writeStaticString(",\"create_time\":")
        buffer.writeJSONString(Timestamp.text(created))
        buffer.writeStaticString(",\"modify_time\":")
        buffer.writeJSONString(Timestamp.text(modified))
        buffer.writeStaticString(",\"modified_by\":")
        buffer.writeJSONString(modifiedBy)
        buffer.writeStaticString(",\"team_id\":")
        buffer.writeJSONString(teamID)
        buffer.writeStaticString(",\"acls\":[")
        for (index, acl) in acls.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            buffer.writeJSONString(acl)
        }
        buffer.writeStaticString("],\"api_key_id\":")
        buffer.writeJSONString(apiKeyID)
        buffer.writeStaticString(",\"team_blocked\":")
        buffer.writeJSONBool(isTeamBlocked)
        buffer.writeStaticString(",\"api_key_blocked\":")
        buffer.writeJSONBool(isBlocked)
        buffer.writeStaticString(",\"api_key_disabled\":")
        buffer.writeJSONBool(isDisabled)
        buffer.writeStaticString("}")
    }

    /// Appends the answer to `GET /v1/me`. Prompts and answers are kept only where a request asks
    /// for it (`store`); that they never are is promised (`zdr_status`) where it is so.
    package func writeCaller(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"user_id\":")
        buffer.writeJSONString(userID)
        buffer.writeStaticString(",\"team_id\":")
        buffer.writeJSONString(teamID)
        buffer.writeStaticString(",\"team_blocked\":")
        buffer.writeJSONBool(isTeamBlocked)
        buffer.writeStaticString(",\"zdr_status\":")
        buffer.writeJSONString(storesNothing ? "enabled" : "disabled")
        buffer.writeStaticString(",\"api_key\":")
        write(into: &buffer)
        buffer.writeStaticString("}")
    }
}
