/// What a model with a cache takes of its device: an estimate made before anything is loaded, from
/// the file's header and the settings.
package struct MemoryRequirement: Hashable, Sendable {
    package var weightBytes: Int
    package var cacheBytes: Int
    /// For compute buffers, sampling and the rest: `LlamaEngineConfiguration.memoryMarginBytes`.
    package var marginBytes: Int

    package var totalBytes: Int { weightBytes + cacheBytes + marginBytes }

    package init(_ header: ModelHeader, _ configuration: LlamaEngineConfiguration) {
        // With fewer layers on the GPU, that part of weights and cache is there.
        let layers = Int(configuration.gpuLayers)
        let part: (Int) -> Int = { bytes in
            guard configuration.device?.kind != .cpu, layers >= 0, layers < header.layers else {
                return bytes
            }
            return bytes / header.layers * layers
        }
        weightBytes = part(header.weightBytes)
        cacheBytes = part(header.cacheBytesPerToken * Self.cells(header, configuration))
        marginBytes = configuration.memoryMarginBytes
    }

    private static func cells(
        _ header: ModelHeader, _ configuration: LlamaEngineConfiguration
    ) -> Int {
        let cells =
            configuration.cacheCells > 0
            ? configuration.cacheCells : header.trainingContextTokens ?? 0
        switch configuration.cacheLayout {
        case .shared: return cells
        case .separate:
            // The library rounds up, and one stream more serves to exchange two.
            let own = (max(1, cells / configuration.slots) + 255) / 256 * 256
            return own * (configuration.maxSequences + 1)
        }
    }
}

extension LlamaEngineConfiguration {
    /// Refuses what the model or the device's memory does not allow. `device` must be
    /// set, with its memory as it is now.
    package func check(_ header: ModelHeader) throws(LlamaEngineError) {
        if let reason = header.unsuitability {
            throw .modelUnsuitable(path: modelPath, reason: reason)
        }
        if let trained = header.trainingContextTokens, trained > 0, slots > 0,
            cacheCells / slots > trained
        {
            throw .contextTooLong(
                tokens: cacheCells, slots: slots, perSlot: cacheCells / slots, trained: trained)
        }
        guard let device, device.totalBytes > 0 else { return }
        let requirement = MemoryRequirement(header, self)
        guard requirement.totalBytes <= device.freeBytes else {
            throw .memoryShort(
                device: device.name, requirement: requirement, freeBytes: device.freeBytes)
        }
    }
}
