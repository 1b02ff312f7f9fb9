package import EngineProtocol
internal import Foundation
package import HTTPTransport
internal import Synchronization

/// What the gateway shows its pool's workers, and what it wants to see of them: made from
/// `LinkSettings`, replaced by a reload. One for each pool.
package final class WorkerLinkCredentials: Sendable {
    package enum LoadError: Error, Equatable, CustomStringConvertible {
        /// The settings contradict each other.
        case settings(reason: String)
        case tls(TLSError)
        /// The file is unreadable, or its first line is no token.
        case token(path: String, reason: String)

        package var description: String {
            switch self {
            case .settings(let reason): reason
            case .tls(let error): "worker link: \(error)"
            case .token(let path, let reason): "worker token file \(path): \(reason)"
            }
        }
    }

    /// What the files held when they were read.
    package struct Material: Sendable {
        package let settings: LinkSettings
        fileprivate let context: TLSClientContext?
        fileprivate let authorization: String?

        /// Neither TLS nor a token.
        package static let none = Material()

        private init() {
            settings = LinkSettings()
            context = nil
            authorization = nil
        }

        /// Reads all files.
        package init(_ settings: LinkSettings) throws(LoadError) {
            if let fault = settings.fault { throw .settings(reason: fault) }
            self.settings = settings
            authorization = try WorkerLinkCredentials.token(settings)
            do throws(TLSError) {
                context = try settings.authorityPath.map { authority throws(TLSError) in
                    try TLSClientContext(authorityPath: authority, files: settings.clientFiles)
                }
            } catch {
                throw .tls(error)
            }
        }
    }

    /// A lock because connection loops read what a reload replaces; taken once per connection and
    /// per call.
    private let material: Mutex<Material>

    package init(_ material: Material) {
        self.material = Mutex(material)
    }

    /// New links and calls use what is given; open links stay.
    package func replace(_ material: Material) {
        self.material.withLock { $0 = material }
    }

    /// For a link to `endpoint`. A unix socket gets no TLS: its mode says who may connect.
    package func credentials(for endpoint: HTTPEndpoint) -> EngineCredentials {
        EngineCredentials(tls: tls(for: endpoint)) { [self] in
            material.withLock { $0.authorization }
        }
    }

    private func tls(for endpoint: HTTPEndpoint) -> HTTPClientTLS? {
        let material = material.withLock { $0 }
        guard let context = material.context, case .tcp(let host, _) = endpoint else {
            return nil
        }
        // Without a name the certificate must have the address; an address is no name (RFC 6066
        // §3).
        let name = material.settings.serverName ?? (IPAddress(host) == nil ? host : nil)
        return HTTPClientTLS(context: context, serverName: name)
    }

    private static func token(_ settings: LinkSettings) throws(LoadError) -> String? {
        guard let path = settings.tokenPath else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .token(path: path, reason: "cannot be read")
        }
        let line =
            String(decoding: data, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
            .first.map { $0.trimmingCharacters(in: .whitespaces) } ?? ""
        guard !line.isEmpty else { throw .token(path: path, reason: "the first line is empty") }
        guard line.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .token(path: path, reason: "a token is printable ASCII without spaces")
        }
        return "Bearer \(line)"
    }
}

extension LinkSettings {
    fileprivate var clientFiles: TLSFiles? {
        guard let certificatePath, let keyPath else { return nil }
        return TLSFiles(certificateChainPath: certificatePath, privateKeyPath: keyPath)
    }
}
