/// Why a worker does not start, or ended. Each case names what a person has to change.
package enum WorkerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A setting's value that cannot work.
    case setting(name: String, value: String, allowed: String)
    /// Token ids and prompts would cross a network unencrypted.
    case plaintextOffLoopback(address: String)
    /// Certificates, keys or tokens cannot be used; `reason` names the file.
    case access(reason: String)
    /// The model's file is missing, unreadable or not a model; `reason` is the library's.
    case model(path: String, reason: String)
    /// The device, its memory or the model does not allow what was asked.
    case unsuited(reason: String)
    /// The address could not be bound.
    case listen(address: String, reason: String)
    /// The engine broke while running; `code` is the library's.
    case engine(code: Int32, message: String)

    package var description: String {
        switch self {
        case .setting(let name, let value, let allowed):
            "\(name) is \(value); allowed: \(allowed)"
        case .plaintextOffLoopback(let address):
            """
            refusing to listen on \(address): the link would not be encrypted; use a unix \
            socket or a loopback address, give --tls-certificate and --tls-key, or pass \
            --allow-plaintext on a network you trust
            """
        case .access(let reason): reason
        case .model(let path, let reason): "cannot load model \(path): \(reason)"
        case .unsuited(let reason): reason
        case .listen(let address, let reason): "cannot listen on \(address): \(reason)"
        case .engine(let code, let message): "the engine failed (code \(code)): \(message)"
        }
    }
}
