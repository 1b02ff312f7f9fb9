import ArgumentParser
import LlamaEngine

/// `switchyard quantize`: rewrites a GGUF with another weight type.
struct QuantizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract:
            "Rewrite a GGUF model with another weight type (Q4_0 has the fastest CPU kernels).")

    @Argument(help: "The GGUF to read.") var input: String
    @Argument(help: "The GGUF to write; replaced only when complete.") var output: String
    @Option(help: "The weight type, one of \(WeightType.allNames).") var type = "q4_0"
    @Option(help: "Threads; 0 means one per core.") var threads: Int = 0

    func run() throws {
        do throws(LlamaEngineError) {
            try quantizeModel(
                input: input, output: output, type: WeightType(name: type), threads: threads)
        } catch {
            Output.error(error.description)
            switch error {
            case .unknownWeightType, .invalidSetting: throw ExitCode.configuration
            case .modelUnreadable: throw ExitCode.noInput
            default: throw ExitCode.software
            }
        }
    }
}
