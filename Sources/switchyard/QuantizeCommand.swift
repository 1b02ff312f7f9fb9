import ArgumentParser

/// `switchyard quantize`: rewrites a GGUF with another weight type.
struct QuantizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Rewrite a GGUF model with another weight type (Q4_0 has the fastest CPU kernels).")

    @Argument(help: "The GGUF to read.") var input: String
    @Argument(help: "The GGUF to write; replaced only when complete.") var output: String
    @Option(help: "The weight type: q4_0, q4_1, q5_0, q8_0, f16 …") var type: String = "q4_0"
    @Option(help: "Threads; 0 means one per core.") var threads: Int = 0

    func run() throws {
        throw ValidationError("quantize is not built in yet")
    }
}
