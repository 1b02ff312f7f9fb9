import Foundation
import HTTPTransport
import InferenceAPI
import Metrics

/// A reload: configuration, API keys and certificates are read anew and put in force together, or,
/// when anything of it is unusable, none of it. Called by SIGHUP and by the admin API.
struct Reloading: Sendable {
    let source: @Sendable () throws -> GatewayConfiguration
    let directory: PoolDirectory
    /// Nil without a TLS port.
    let tls: TLSServerContext?
    let core: GatewayCore

    func reload() async throws {
        do {
            let next = try source()
            let fixed = next.needingRestart(since: core.serving.current.configuration)
            try tls?.check()
            try await directory.apply(next)
            try tls?.reload()
            core.metrics.reloaded(succeeded: true)
            core.logger.notice(
                "configuration reloaded",
                metadata: fixed.isEmpty
                    ? [:] : ["needs_restart": "\(fixed.joined(separator: ", "))"])
        } catch {
            core.metrics.reloaded(succeeded: false)
            core.logger.error(
                "configuration not reloaded: the old one stays", metadata: ["error": "\(error)"])
            throw error
        }
    }
}

extension GatewayConfiguration {
    /// Settings that differ and hold only from the next start on.
    func needingRestart(since old: GatewayConfiguration) -> [String] {
        let pairs: [(String, Bool)] = [
            ("host", host == old.host), ("port", port == old.port),
            ("tls-port", tls?.port == old.tls?.port),
            ("tls-certificate", tls?.files == old.tls?.files),
            ("admin-host", adminHost == old.adminHost), ("admin-port", adminPort == old.adminPort),
            ("admin-token-file", adminTokenFile == old.adminTokenFile),
            ("loops", connectionLoops == old.connectionLoops),
            ("tokenizer-threads", preparationThreads == old.preparationThreads),
            ("access-log", accessLogPath == old.accessLogPath),
            ("decision-limit", decisionLimit == old.decisionLimit),
            ("data-dir", stateDirectory == old.stateDirectory),
            ("storage-synchronous", storageSynchronous == old.storageSynchronous),
            ("limits of what is stored", storage == old.storage),
            ("body-limit", limits.bodyLimitBytes == old.limits.bodyLimitBytes),
        ]
        return pairs.filter { !$0.1 }.map(\.0)
    }
}
