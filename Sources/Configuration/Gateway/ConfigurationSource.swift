internal import Foundation
package import Gateway
internal import HTTPTransport

/// Where a gateway's configuration comes from: flags, environment and a file. Kept by the running
/// program, since `load` may be called again: the file is read anew, flags and environment stay.
package struct ConfigurationSource: Sendable {
    private let command: SettingsCommand
    private let flags: [String: [String]]
    private let environment: [String: String]
    private let machine: Machine

    /// What a configuration needs to know of this process.
    package struct Machine: Sendable {
        /// The program that supervised workers run: this one.
        package var executable: String
        package var processIdentifier: Int32
        package var cores: Int

        package init(executable: String, processIdentifier: Int32, cores: Int) {
            self.executable = executable
            self.processIdentifier = processIdentifier
            self.cores = cores
        }
    }

    /// `flags`: what was given for each flag, without dashes; `true` for a toggle.
    package init(
        command: SettingsCommand, flags: [String: [String]], environment: [String: String],
        machine: Machine
    ) {
        self.command = command
        self.flags = flags
        self.environment = environment
        self.machine = machine
    }

    /// Reads and checks everything, and makes what it needs: the folders for state and sockets, a
    /// certificate for development. Reads files: call it on the control path.
    ///
    /// All or nothing: throws everything that is wrong.
    package func load() throws(ConfigurationErrors) -> LoadedConfiguration {
        let loaded = try check()
        var errors = ConfigurationErrors()
        loaded.prepare(&errors)
        guard errors.isEmpty else { throw errors }
        return loaded
    }

    /// As `load`, without making anything.
    package func check() throws(ConfigurationErrors) -> LoadedConfiguration {
        var resolver = SettingsResolver(flags: flags, environment: environment)
        let path = resolver.values(of: [.config]).text(.config)
        let file = path.map {
            ConfigurationFile.read($0, command: command, problems: &resolver.problems)
        }
        let settings = command.settings.filter { $0 != .config }
        let values = resolver.values(of: settings, file: file?.values)
        var composer = GatewayComposer(
            command: command, values: values, file: file,
            state: StateDirectory(values: values, environment: environment, machine: machine),
            machine: machine, problems: resolver.problems)
        let configuration = composer.compose()
        // What the gateway itself refuses, also of changes at run time, is told above with its
        // place; this is for a rule that only it knows.
        if let configuration, composer.problems.isEmpty {
            for problem in configuration.problems { composer.problems.add(nil, "\(problem)") }
        }
        composer.problems.sort()
        guard composer.problems.isEmpty, let configuration else { throw composer.problems }
        return LoadedConfiguration(
            configuration: configuration, logLevel: values.requiredText(.logLevel),
            warnings: resolver.warnings(for: command),
            effectiveText: EffectiveConfiguration.text(command, values, file),
            state: composer.state, values: values)
    }
}

/// A configuration that passed every check.
package struct LoadedConfiguration: Sendable {
    package let configuration: GatewayConfiguration
    /// A word that swift-log knows.
    package let logLevel: String
    /// What is odd but no error: variables that are no settings.
    package let warnings: [String]
    /// All values in force as YAML, each with where it came from. A configuration file of the same
    /// meaning.
    package let effectiveText: String
    let state: StateDirectory
    let values: SettingValues

    /// Makes what the running program needs.
    func prepare(_ errors: inout ConfigurationErrors) {
        var folders = [state.path]
        for pool in configuration.pools {
            if let supervised = pool.supervised {
                folders.append(supervised.commandLine.socketDirectory)
            }
        }
        for folder in folders {
            do {
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700])
            } catch {
                errors.add(
                    values.source(of: .dataDir), "data-dir: cannot make \(folder): \(error)")
                return
            }
        }
        guard configuration.tls != nil, values.isOn(.tlsSelfSigned) else { return }
        do {
            _ = try SelfSignedCertificate.files(in: state.certificateDirectory)
        } catch {
            errors.add(values.source(of: .tlsSelfSigned), "tls-self-signed: \(error)")
        }
    }
}
