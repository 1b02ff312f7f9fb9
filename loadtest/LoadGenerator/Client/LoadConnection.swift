import HTTPTransport

/// A connection to one of the run's servers.
struct LoadConnection {
    enum Link {
        /// One request at a time.
        case http1(HTTP1ClientConnection)
        case http2(HTTP2ClientConnection)
    }

    /// Which connections a request may use: those of slow readers have small windows.
    enum Lane: Int, CaseIterable { case normal, slow }

    var link: Link
    /// Into the run's targets.
    var target: Int
    var lane: Lane

    /// HTTP/1.1: whether it takes a request.
    var isIdle: Bool {
        if case .http1(let connection) = link { connection.isIdle } else { false }
    }
    /// HTTP/2: whether it takes more requests.
    var isOpen: Bool {
        if case .http2(let connection) = link { connection.isOpen } else { false }
    }

    func close() {
        switch link {
        case .http1(let connection): connection.close()
        case .http2(let connection): connection.close()
        }
    }
}
