import ArgumentParser
import Configuration
import Foundation
import Logging

/// What `serve` and `gateway` do with their settings.
enum ConfiguredGateway {
    static let discussion = """
        A flag goes before its twin in the environment (--admin-port: SWITCHYARD_ADMIN_PORT; \
        lists comma separated), that before the same key in --config, that before the default.
        """

    static func run(
        _ command: SettingsCommand, flags: [String: [String]], check: ConfigurationCheck
    ) async throws {
        let source = try source(command, flags: flags)
        if check.isWanted {
            try printValues(source)
            return
        }
        let loaded: LoadedConfiguration
        do {
            loaded = try source.load()
        } catch {
            throw refusal(error)
        }
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "switchyard")
        logger.logLevel = Logger.Level(rawValue: loaded.logLevel) ?? .info
        for warning in loaded.warnings { logger.warning("\(warning)") }
        try await GatewayProgram.run(logger: logger) { try source.load().configuration }
    }

    /// Exit 0 when the configuration can be used, 78 with everything that is wrong otherwise.
    static func printValues(_ source: ConfigurationSource) throws {
        do {
            let loaded = try source.check()
            for warning in loaded.warnings { Output.error("switchyard: warning: \(warning)") }
            FileHandle.standardOutput.write(Data(loaded.effectiveText.utf8))
        } catch {
            Output.error(error.description)
            throw ExitCode.configuration
        }
    }

    /// Tells what is wrong with the settings.
    static func refusal(_ errors: ConfigurationErrors) -> any Error {
        if errors.isUsage { return ValidationError(errors.description) }
        Output.error(errors.description)
        return ExitCode.configuration
    }

    static func source(
        _ command: SettingsCommand, flags: [String: [String]]
    ) throws -> ConfigurationSource {
        ConfigurationSource(
            command: command, flags: flags, environment: ProcessInfo.processInfo.environment,
            machine: .init(
                executable: try FileManager.default.destinationOfSymbolicLink(
                    atPath: "/proc/self/exe"),
                processIdentifier: ProcessInfo.processInfo.processIdentifier,
                cores: ProcessInfo.processInfo.activeProcessorCount))
    }
}
