package import HTTPTransport

/// Which addresses a pool may have workers at.
extension PoolSettings {
    /// Why no link may go there; nil: it may. For every worker, wherever it comes from.
    package func linkRefusal(_ endpoint: HTTPEndpoint) -> String? {
        if endpoint.isLocal || link.allowsPlaintext { return nil }
        if kind == .openAI {
            let address = upstreamAddress(of: endpoint)
            guard address.scheme != .https else { return nil }
            return """
                the link to \(address.text) would be plaintext: use https, or allow it \
                (--allow-plaintext-workers)
                """
        }
        if link.usesTLS { return nil }
        return """
            the link to \(endpoint.text) would be plaintext: give the pool a worker authority \
            (--worker-authority), or allow it (--allow-plaintext-workers)
            """
    }

    /// Why no worker may register with that address at run time; nil: it may.
    package func registrationRefusal(_ endpoint: HTTPEndpoint) -> String? {
        let isAllowed =
            if registration.isEmpty {
                // A worker that has to prove itself may be anywhere.
                endpoint.isLocal || link.usesTLS || link.tokenPath != nil
            } else {
                registration.contains { $0.allows(endpoint) }
            }
        guard isAllowed else {
            return "\(endpoint.text) is not an address where workers may register (--worker-allow)"
        }
        return linkRefusal(endpoint)
    }
}

extension LinkSettings {
    package var usesTLS: Bool { authorityPath != nil }

    /// What cannot work whatever the files hold; nil: nothing.
    package var fault: String? {
        if (certificatePath == nil) != (keyPath == nil) {
            return "a worker certificate and its key go together"
        }
        if !usesTLS, certificatePath != nil || serverName != nil {
            return "a worker certificate or server name needs a worker authority"
        }
        if let serverName, IPAddress(serverName) != nil {
            return "a worker's server name is a DNS name, not the address \(serverName)"
        }
        return nil
    }
}
