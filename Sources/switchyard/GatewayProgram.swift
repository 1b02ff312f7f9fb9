import ArgumentParser
import Foundation
import Gateway
import Logging

/// The life of a gateway process: start, ready line, signals, reloads, drain.
enum GatewayProgram {
    /// How often readiness is looked at until the ready line is out.
    private static let readinessInterval: Duration = .milliseconds(50)

    /// - Parameter source: reads the configuration; called at the start and at each reload.
    static func run(
        logger: Logger, source: @escaping @Sendable () throws -> GatewayConfiguration
    ) async throws {
        let signals = TerminationSignals()
        let hangups = SignalStream([SIGHUP])
        let configuration = try source()
        let gateway: Gateway
        do {
            gateway = try await Gateway.start(configuration, source: source, logger: logger)
        } catch {
            Output.error("switchyard: cannot start: \(error)")
            throw ExitCode.software
        }
        logger.info(
            "listening",
            metadata: [
                "host": "\(configuration.host)", "port": "\(gateway.port)",
                "tls_port": "\(gateway.tlsPort.map(String.init) ?? "none")",
                "admin_port": "\(gateway.adminPort)", "model": "\(gateway.modelName)",
            ])
        let announcement = Task { try await announce(gateway, configuration) }
        defer { announcement.cancel() }
        let reloading = Task {
            for await _ in hangups.signals { await gateway.reload() }
        }
        defer { reloading.cancel() }
        let stopping = Task { await stopAtSignal(gateway, signals) }
        do {
            try await gateway.superviseWorkers()
        } catch {
            Output.error("switchyard: \(error)")
            await gateway.stop()
            throw ExitCode.software
        }
        // Returns after the drain; supervision ended because of it, or there was none.
        await stopping.value
    }

    private static func stopAtSignal(_ gateway: Gateway, _ signals: TerminationSignals) async {
        var iterator = signals.signals.makeAsyncIterator()
        guard await iterator.next() != nil else { return }
        let impatient = Task {
            for await _ in signals.signals { _exit(1) }
        }
        await gateway.stop()
        impatient.cancel()
    }

    /// Prints the ready line once a token can be generated.
    private static func announce(
        _ gateway: Gateway, _ configuration: GatewayConfiguration
    ) async throws {
        while !gateway.isReady {
            try await Task.sleep(for: readinessInterval)
        }
        let key = configuration.apiKeyFile == nil ? "" : " -H 'authorization: Bearer KEY'"
        let body =
            #"{"model":"\#(gateway.modelName)","stream":true,"max_tokens":200,"#
            + #""messages":[{"role":"user","content":"Hello!"}]}"#
        let line = """
            ready: curl -N http://\(configuration.host):\(gateway.port)/v1/chat/completions\
            \(key) -H 'content-type: application/json' -d '\(body)'
            """
        Output.line(line)
    }
}
