extension JSONSchema {
    /// GBNF of the values that match. Throws `SchemaError` when it is too long.
    package func grammar(limits: SchemaLimits = SchemaLimits()) throws(SchemaError) -> String {
        var grammar = SchemaGrammar(bounds: .none)
        let root = grammar.write(self)
        grammar.add("root", root)
        guard grammar.bytes <= limits.grammarBytes else {
            throw .tooLarge(limits)
        }
        return grammar.text
    }
}

extension SchemaError {
    static func tooLarge(_ limits: SchemaLimits) -> SchemaError {
        SchemaError(
            path: "",
            message: "Its grammar would be longer than \(limits.grammarBytes) bytes.")
    }
}
