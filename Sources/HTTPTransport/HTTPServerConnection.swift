/// One accepted connection, whatever its protocol, as its server sees it. All calls come on the
/// connection's loop.
protocol HTTPServerConnection: AnyObject {
    /// Ends politely: requests that have begun are served, no further one is accepted, then the
    /// connection closes. HTTP/2 sends GOAWAY, HTTP/1.1 `connection: close`.
    func drain()

    /// Closes at once; receivers get `closed(.connectionClosed)`.
    func closeNow()
}
