internal import Gateway
internal import Storage

extension GatewayComposer {
    /// What is kept in the data directory.
    func fillStorage(_ configuration: inout GatewayConfiguration) {
        configuration.stateDirectory = state.path
        configuration.storageSynchronous =
            SQLiteStorage.Synchronous(rawValue: values.requiredText(.storageSynchronous)) ?? .normal
        configuration.jobConcurrency = values.requiredInteger(.jobConcurrency)
        configuration.batchConcurrency = values.requiredInteger(.batchConcurrency)
        var limits = StorageLimits()
        limits.jobs = values.requiredInteger(.jobLimit)
        limits.responses = values.requiredInteger(.responseLimit)
        limits.batches = values.requiredInteger(.batchLimit)
        limits.batchRequests = values.requiredInteger(.batchRequestLimit)
        limits.files = values.requiredInteger(.fileLimit)
        limits.fileBytes = values.requiredInteger(.fileBytes)
        limits.deferredSeconds = values.requiredInteger(.deferredHours) * 3_600
        limits.responseSeconds = values.requiredInteger(.responseDays) * 86_400
        limits.batchSeconds = values.requiredInteger(.batchHours) * 3_600
        limits.batchRetentionSeconds = values.requiredInteger(.batchDays) * 86_400
        configuration.storage = limits
    }
}
