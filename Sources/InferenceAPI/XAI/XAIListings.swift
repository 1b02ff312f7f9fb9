import SwiftProtobuf
package import XAIProto

extension XaiApi_LanguageModel {
    /// A model as `Models/GetLanguageModel` has it. Prices are 0: nothing is sold here.
    package init(_ description: LanguageModelDescription) {
        self.init()
        name = description.model.id
        aliases = description.model.aliases
        version = description.version
        inputModalities = [.text]
        outputModalities = [.text]
        created.seconds = Int64(description.model.created)
        maxPromptLength = Int32(clamping: description.contextTokens ?? 0)
        systemFingerprint = description.fingerprint
    }
}

extension XaiApi_ApiKey {
    /// A key as `Auth/get_api_key_info` has it.
    package init(_ description: APIKeyDescription) {
        self.init()
        redactedApiKey = description.redactedKey
        userID = description.userID
        name = description.name
        createTime.seconds = Int64(description.created)
        modifyTime.seconds = Int64(description.modified)
        modifiedBy = description.modifiedBy
        teamID = description.teamID
        acls = description.acls
        apiKeyID = description.apiKeyID
        apiKeyBlocked = description.isBlocked
        teamBlocked = description.isTeamBlocked
        disabled = description.isDisabled
    }
}
