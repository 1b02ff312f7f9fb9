import HTTPTransport
import NIOCore

extension WorkerListenAddress {
    var endpoint: HTTPEndpoint {
        switch self {
        case .unix(let path): .unix(path: path)
        case .tcp(let host, let port): .tcp(host: host, port: port)
        }
    }

    /// With the port that the system chose.
    func bound(to address: SocketAddress?) -> WorkerListenAddress {
        guard case .tcp(let host, _) = self, let port = address?.port else { return self }
        return .tcp(host: host, port: port)
    }
}
