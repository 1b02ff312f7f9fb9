/// Where a server's certificate chain and key lie, both in PEM. The chain begins with the
/// server's own certificate. Of a client it is what it shows of itself.
package struct TLSFiles: Sendable, Hashable {
    package var certificateChainPath: String
    package var privateKeyPath: String

    package init(certificateChainPath: String, privateKeyPath: String) {
        self.certificateChainPath = certificateChainPath
        self.privateKeyPath = privateKeyPath
    }
}
