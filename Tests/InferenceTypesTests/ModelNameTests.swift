import InferenceTypes
import Testing

@Suite struct ModelNameTests {
    @Test(arguments: [
        ("SmolLM2-135M-Instruct-Q4_0.gguf", "SmolLM2-135M-Instruct-Q4_0"),
        ("/models/llama 3.GGUF", "llama 3"),
        ("../models/m.v2.gguf", "m.v2"),
        ("/models/plain", "plain"),
        ("/models/.gguf", ".gguf"),
        ("m.gguf.part", "m.gguf.part"),
    ])
    func aFileNamesItsModel(path: String, name: String) {
        #expect(ModelName.ofFile(path) == name)
    }
}
