import Glibc
package import NIOPosix

/// Looks names up as the system is set up to: hosts file, DNS, with the system's own time limits
/// (resolv.conf: 5 s twice by default).
package enum SystemResolver {
    package struct LookupFailed: Error, Hashable, Sendable, CustomStringConvertible {
        package let name: String
        /// getaddrinfo's words.
        package let reason: String

        package init(name: String, reason: String) {
            self.name = name
            self.reason = reason
        }

        package var description: String { "cannot look \(name) up: \(reason)" }
    }

    /// All IPv4 and IPv6 addresses of a name, in the system's order, each once; at least one.
    /// Blocks one of the pool's threads meanwhile.
    package static func addresses(
        of name: String, on pool: NIOThreadPool
    ) async throws -> [String] {
        try await pool.runIfActive { try lookUp(name) }
    }

    static func lookUp(_ name: String) throws(LookupFailed) -> [String] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(name, nil, &hints, &list)
        guard code == 0 else {
            let system = errno
            let reason =
                code == EAI_SYSTEM
                ? unsafe String(cString: strerror(system))
                : unsafe String(cString: gai_strerror(code))
            throw LookupFailed(name: name, reason: reason)
        }
        defer { unsafe freeaddrinfo(list) }
        var found: [String] = []
        var next = unsafe list
        while let entry = unsafe next {
            unsafe next = entry.pointee.ai_next
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let code = unsafe getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil,
                0, NI_NUMERICHOST)
            guard code == 0 else { continue }
            let address = String(
                decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if !found.contains(address) { found.append(address) }
        }
        guard !found.isEmpty else { throw LookupFailed(name: name, reason: "no address") }
        return found
    }
}
