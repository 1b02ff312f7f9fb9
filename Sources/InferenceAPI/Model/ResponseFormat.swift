/// What the visible output must look like. What cannot be enforced is refused (trap 19).
package enum ResponseFormat: Hashable, Sendable {
    case text
    /// Any JSON object.
    case jsonObject
    /// JSON that a schema allows. `schema` is its JSON text, as the client sent it.
    case jsonSchema(name: String?, schema: String, isStrict: Bool)
    /// A GBNF grammar.
    case grammar(String)
}
