/// GBNF grammars that requests stand for.
package enum JSONGrammar {
    /// Any JSON object (RFC 8259), for `response_format: {"type":"json_object"}`. White space and
    /// digits are bounded, since a small model may write them without end.
    package static let object = #"""
        root ::= object
        value ::= object | array | string | number | "true" | "false" | "null"
        object ::= "{" ws (member ("," ws member)*)? "}"
        member ::= string ws ":" ws value ws
        array ::= "[" ws (value ws ("," ws value ws)*)? "]"
        string ::= "\"" char* "\""
        char ::= [^"\\\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})
        number ::= "-"? ("0" | [1-9] [0-9]{0,15}) ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,3})?
        ws ::= "" | " " | "\n" [ \t]{0,20}
        """#
}
