import InferenceAPI
import SwiftProtobuf
import XAIProto

/// What is served, and to whom.
extension GRPCMethods {
    typealias Empty = Google_Protobuf_Empty

    mutating func addListings() {
        add("Models/ListLanguageModels") { (_: Empty, caller) throws(APIError) in
            let models = caller.languageModels.models
            return XaiApi_ListLanguageModelsResponse.with {
                $0.models = models.map { XaiApi_LanguageModel($0) }
            }
        }
        add("Models/GetLanguageModel") {
            (request: XaiApi_GetModelRequest, caller) throws(APIError) in
            let models = caller.languageModels
            return XaiApi_LanguageModel(try models.find(request.name))
        }
        add("Models/ListEmbeddingModels") { (_: Empty, _) throws(APIError) in
            XaiApi_ListEmbeddingModelsResponse()
        }
        add("Models/ListImageGenerationModels") { (_: Empty, _) throws(APIError) in
            XaiApi_ListImageGenerationModelsResponse()
        }
        add("Models/GetEmbeddingModel") {
            (request: XaiApi_GetModelRequest, _) throws(APIError) -> XaiApi_EmbeddingModel in
            throw .modelNotFound(request.name)
        }
        add("Models/GetImageGenerationModel") {
            (request: XaiApi_GetModelRequest, _) throws(APIError) -> XaiApi_ImageGenerationModel in
            throw .modelNotFound(request.name)
        }
        add("Auth/get_api_key_info") { (_: Empty, caller) throws(APIError) in
            XaiApi_ApiKey(
                caller.core.serving.current.tenants.describe(
                    caller.principal, key: try RequestHeaders.key(of: caller.fields)))
        }
    }
}
