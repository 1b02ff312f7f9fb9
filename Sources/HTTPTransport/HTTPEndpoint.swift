/// Where to listen or connect.
package enum HTTPEndpoint: Sendable, Hashable {
    /// A host name or address, and a port (0 to listen: any free one).
    case tcp(host: String, port: Int)
    /// The path of a unix socket.
    case unix(path: String)
}
