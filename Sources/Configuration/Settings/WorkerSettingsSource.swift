/// The settings of `switchyard worker`, which has no file.
package enum WorkerSettingsSource {
    /// `flags`: what was given for each flag, without dashes; `true` for a toggle. The warnings
    /// name variables that are no settings.
    package static func values(
        flags: [String: [String]], environment: [String: String]
    ) throws(ConfigurationErrors) -> (values: SettingValues, warnings: [String]) {
        var resolver = SettingsResolver(flags: flags, environment: environment)
        let values = resolver.values(of: Setting.ofWorker)
        guard resolver.problems.isEmpty else { throw resolver.problems }
        return (values, resolver.warnings(for: .worker))
    }
}
