import HTTPTransport
import Synchronization

/// How the links of a pool of kind `openAI` reach its workers: made from `PoolSettings`, replaced
/// by a reload. One for each pool. The key that they ask for is the pool's `WorkerLinkCredentials`.
final class UpstreamAccess: Sendable {
    /// What settings and files held when they were read.
    struct Material: Sendable {
        let settings: UpstreamSettings
        private let pool: PoolSettings
        /// Nil where no address is `https`.
        private let context: TLSClientContext?

        /// Reads the authority's file, if there is one.
        init(_ pool: PoolSettings) throws(WorkerLinkCredentials.LoadError) {
            self.pool = pool
            settings = pool.upstream
            guard
                pool.upstreamForm.scheme == .https
                    || pool.workers.contains(where: { $0.upstream?.scheme == .https })
            else {
                context = nil
                return
            }
            do {
                context = try TLSClientContext(
                    authorityPath: pool.link.authorityPath, files: nil, protocols: ["http/1.1"])
            } catch {
                throw .tls(error)
            }
        }

        func address(of endpoint: HTTPEndpoint) -> UpstreamAddress {
            pool.upstreamAddress(of: endpoint)
        }

        func tls(for address: UpstreamAddress) -> HTTPClientTLS? {
            guard address.scheme == .https, let context else { return nil }
            let name =
                pool.link.serverName ?? (IPAddress(address.host) == nil ? address.host : nil)
            return HTTPClientTLS(context: context, serverName: name)
        }
    }

    /// A lock because connection loops read what a reload replaces; taken once per request.
    private let material: Mutex<Material>

    init(_ material: Material) {
        self.material = Mutex(material)
    }

    var current: Material { material.withLock { $0 } }

    /// New requests use what is given.
    func replace(_ material: Material) {
        self.material.withLock { $0 = material }
    }
}

extension PoolSettings {
    /// The form of addresses that say only host and port.
    var upstreamForm: UpstreamAddress {
        workers.lazy.compactMap(\.upstream).first
            ?? UpstreamAddress(scheme: .http, host: "", port: 0)
    }

    /// The whole address of a worker of a pool of kind `openAI`.
    func upstreamAddress(of endpoint: HTTPEndpoint) -> UpstreamAddress {
        if let known = workers.lazy.compactMap(\.upstream).first(where: { $0.endpoint == endpoint })
        {
            return known
        }
        let form = upstreamForm
        guard case .tcp(let host, let port) = endpoint else { return form }
        return UpstreamAddress(
            scheme: form.scheme, host: host, port: port, basePath: form.basePath)
    }
}
