import HTTPTransport

/// Who may reach a worker: its certificate, whose certificates it wants to see, and tokens.
/// Immutable but for what a reload replaces.
final class LinkAccess: Sendable {
    /// Nil: the listener is not encrypted.
    let tls: TLSServerContext?
    /// Nil: calls need no token.
    let tokens: LinkTokens?

    init(_ configuration: WorkerConfiguration) throws(WorkerError) {
        tokens = try configuration.tokenPath.map { path throws(WorkerError) in
            try LinkTokens(path: path)
        }
        tls = try configuration.tls.map { tls throws(WorkerError) in
            do throws(TLSError) {
                return try TLSServerContext(
                    tls.files, clientAuthorityPath: tls.clientAuthorityPath, offersHTTP1: false)
            } catch {
                throw .access(reason: "\(error)")
            }
        }
    }

    /// Reads all files again. On an error everything stays as it was.
    func reload() throws(WorkerError) {
        let fresh = try tokens?.read()
        do throws(TLSError) {
            try tls?.reload()
        } catch {
            throw .access(reason: "\(error)")
        }
        if let fresh { tokens?.replace(fresh) }
    }
}
