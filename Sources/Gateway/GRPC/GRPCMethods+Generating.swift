import GRPC
import InferenceAPI

extension GRPCMethods {
    /// Methods that a model answers.
    mutating func addGenerating() {
        add("Chat/GetCompletion", face: XAIFace(isStreaming: false))
        add("Chat/GetCompletionChunk", face: XAIFace(isStreaming: true))
        add("Sample/SampleText", face: XAISampleFace(isStreaming: false))
        add("Sample/SampleTextStreaming", face: XAISampleFace(isStreaming: true))
    }

    private mutating func add(_ path: String, face: any Face) {
        add(path) { call, caller throws(APIError) in
            guard !caller.core.status.isDraining else {
                throw APIError(.draining, "This gateway is shutting down; try another one.")
            }
            return GRPCExchange(
                call, face: face, context: try caller.generationContext(),
                on: caller.connectionLoop)
        }
    }
}
