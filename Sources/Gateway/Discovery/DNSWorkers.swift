import HTTPTransport
import Logging

/// Workers at all addresses of a name, looked up again and again. A lookup that fails, or finds
/// nothing, changes nothing: better a worker that is gone than none.
struct DNSWorkers: WorkerDiscovery {
    /// Most addresses taken from one answer; those beyond it are left out, and the log says so.
    static let addressesLimit = 1_024
    /// How far a lookup may come before or after its time, as a part of the interval: so that many
    /// gateways do not ask at once.
    static let jitterFraction = 0.1

    let settings: DNSSettings
    let logger: Logger
    /// All addresses of a name, as text.
    let lookUp: @Sendable (String) async throws -> [String]
    /// 0..<1, drawn anew at each call.
    var jitter: @Sendable () -> Double = { Double.random(in: 0..<1) }
    /// Returns after that time; throws when the task is cancelled.
    var pause: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }

    var name: String { "dns \(settings.name)" }

    func run(_ report: @escaping @Sendable ([WorkerSettings]) -> Void) async {
        var last: [HTTPEndpoint]?
        var failure: String?
        while !Task.isCancelled {
            do {
                let addresses = try await lookUp(settings.name)
                failure = nil
                let found = endpoints(addresses)
                if found != last {
                    last = found
                    report(found.map { WorkerSettings($0) })
                }
            } catch {
                let reason = "\(error)"
                // Once for each cause, not at every interval.
                if reason != failure, !Task.isCancelled {
                    logger.warning(
                        "workers are not looked up: the last ones stay",
                        metadata: ["source": "\(name)", "reason": "\(reason)"])
                }
                failure = reason
            }
            do {
                try await pause(Self.interval(settings.refreshSeconds, jitter: jitter()))
            } catch {
                return
            }
        }
    }

    /// In an order of their own, since servers turn theirs at each answer.
    private func endpoints(_ addresses: [String]) -> [HTTPEndpoint] {
        if addresses.count > Self.addressesLimit {
            logger.error(
                "too many addresses: some workers are left out",
                metadata: [
                    "source": "\(name)", "addresses": "\(addresses.count)",
                    "limit": "\(Self.addressesLimit)",
                ])
        }
        return Set(addresses).sorted().prefix(Self.addressesLimit)
            .map { .tcp(host: $0, port: settings.port) }
    }

    /// - Parameter jitter: 0..<1.
    static func interval(_ seconds: Int, jitter: Double) -> Duration {
        .seconds(Double(seconds) * (1 + jitterFraction * (2 * jitter - 1)))
    }
}
