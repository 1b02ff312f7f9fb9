import InferenceAPI

extension GRPCMethods {
    /// What methods are among the endpoints, so that a key's list of these holds for every face.
    static let operations: [String: Endpoint.Operation] = [
        "Chat/GetCompletion": .chatCompletions,
        "Chat/GetCompletionChunk": .chatCompletions,
        "Chat/StartDeferredCompletion": .chatCompletions,
        "Chat/GetDeferredCompletion": .deferredCompletion,
        "Chat/GetStoredCompletion": .response,
        "Chat/DeleteStoredCompletion": .deleteResponse,
        "Sample/SampleText": .completions,
        "Sample/SampleTextStreaming": .completions,
        "Tokenize/TokenizeText": .tokenizeText,
        "Models/ListLanguageModels": .languageModels,
        "Models/GetLanguageModel": .languageModel,
        "Models/ListEmbeddingModels": .embeddingModels,
        "Models/GetEmbeddingModel": .embeddingModels,
        "Models/ListImageGenerationModels": .imageGenerationModels,
        "Models/GetImageGenerationModel": .imageGenerationModels,
        "Auth/get_api_key_info": .apiKey,
        "BatchMgmt/CreateBatch": .createBatch,
        "BatchMgmt/GetBatch": .batch,
        "BatchMgmt/ListBatches": .batches,
        "BatchMgmt/CancelBatch": .cancelBatch,
        "BatchMgmt/AddBatchRequests": .addBatchRequests,
        "BatchMgmt/ListBatchRequestMetadata": .batchRequests,
        "BatchMgmt/ListBatchResults": .batchResults,
        "BatchMgmt/GetBatchRequestResult": .batchResults,
        "Files/UploadFile": .createFile,
        "Files/ListFiles": .files,
        "Files/RetrieveFile": .file,
        "Files/RetrieveFileContent": .fileContent,
        "Files/DeleteFile": .deleteFile,
    ]
}
