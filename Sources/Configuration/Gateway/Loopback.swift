internal import Gateway
internal import HTTPTransport

/// Addresses that only this machine reaches.
package enum Loopback {
    package static func contains(_ host: String) -> Bool {
        // An address in brackets reads as one without.
        HTTPEndpoint(text: "\(host):1")?.isLocal ?? false
    }
}
