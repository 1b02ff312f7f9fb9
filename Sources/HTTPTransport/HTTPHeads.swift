/// The head of a request: HTTP/2 pseudo-fields or the HTTP/1.1 request line, then the fields.
package struct HTTPRequestHead: Sendable, Hashable {
    package var method: String
    /// "http" or "https".
    package var scheme: String
    /// `:authority`, or `Host` where the request has no `:authority`; empty when neither came.
    package var authority: String
    /// Path with query; "*" for `OPTIONS *`.
    package var path: String
    package var fields: HTTPFields

    package init(
        method: String, scheme: String = "http", authority: String, path: String,
        fields: HTTPFields = HTTPFields()
    ) {
        self.method = method
        self.scheme = scheme
        self.authority = authority
        self.path = path
        self.fields = fields
    }
}

/// The head of a response.
package struct HTTPResponseHead: Sendable, Hashable {
    /// Three digits. 1xx are informational heads, which may precede the final one.
    package var status: Int
    package var fields: HTTPFields

    package init(status: Int, fields: HTTPFields = HTTPFields()) {
        self.status = status
        self.fields = fields
    }
}
