/// What a model is called when nobody names it.
package enum ModelName {
    /// The file's name without folder and `.gguf`: short, known to whoever started the program, and
    /// without spaces mostly. The name inside the file (`general.name`) is often none of these.
    package static func ofFile(_ path: String) -> String {
        let file = path.split(separator: "/").last.map(String.init) ?? path
        let suffix = ".gguf"
        guard file.count > suffix.count, file.lowercased().hasSuffix(suffix) else { return file }
        return String(file.dropLast(suffix.count))
    }
}
