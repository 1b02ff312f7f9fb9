package import HTTPTransport

/// One address, or range of addresses, at which a worker may register.
///
/// | Text | Allows |
/// |---|---|
/// | `10.1.0.0/16`, `fd00::/8` | IP addresses of that network |
/// | `10.1.0.7`, `::1` | that IP address |
/// | `unix:/run/workers/` | unix sockets whose path begins so |
/// | `worker-1.example` | that name, whatever its address is |
package enum WorkerAddressRule: Hashable, Sendable {
    case network([UInt8], bits: Int)
    case unix(prefix: String)
    /// In lower case.
    case name(String)

    /// Nil when it is none of these.
    package init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let prefix = String(text.dropFirst(5))
            guard prefix.hasPrefix("/"), Self.isPlain(prefix) else { return nil }
            self = .unix(prefix: prefix)
            return
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        if let address = parts.first.flatMap({ IPAddress($0) }) {
            let width = address.bytes.count * 8
            switch parts.count {
            case 1: self = .network(address.bytes, bits: width)
            case 2:
                guard let bits = Int(parts[1]), (0...width).contains(bits) else { return nil }
                self = .network(address.bytes, bits: bits)
            default: return nil
            }
            return
        }
        let isName = !text.isEmpty && text.utf8.allSatisfy { Self.nameBytes.contains($0) }
        // What consists of digits and dots only was meant as an address.
        guard isName, text.contains(where: \.isLetter) else { return nil }
        self = .name(text.lowercased())
    }

    package func allows(_ endpoint: HTTPEndpoint) -> Bool {
        switch (self, endpoint) {
        case (.unix(let prefix), .unix(let path)):
            return path.hasPrefix(prefix) && Self.isPlain(path)
        case (.name(let name), .tcp(let host, _)):
            return host.lowercased() == name
        case (.network(let network, let bits), .tcp(let host, _)):
            guard let address = IPAddress(host), address.bytes.count == network.count else {
                return false
            }
            return zip(address.bytes, network).enumerated().allSatisfy { index, pair in
                let rest = bits - index * 8
                let mask: UInt8 = rest >= 8 ? 0xFF : rest <= 0 ? 0 : ~(0xFF >> rest)
                return pair.0 & mask == pair.1 & mask
            }
        default: return false
        }
    }

    /// A path that does not climb out of the directory it begins with.
    private static func isPlain(_ path: String) -> Bool {
        !path.split(separator: "/").contains("..")
    }

    private static let nameBytes = Set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._".utf8)
}
