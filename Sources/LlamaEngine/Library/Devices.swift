internal import CLlama

/// A device that the library can compute on.
package struct ComputeDevice: Hashable, Sendable {
    package enum Kind: String, Sendable {
        case cpu, gpu
        case integratedGPU = "integrated-gpu"
        case accelerator, other
    }

    /// The library's short name: `CPU`, `CUDA0`.
    package var libraryName: String
    /// The maker's name of the device.
    package var summary: String
    package var kind: Kind
    /// Bytes now free and in all; of a CPU the machine's memory. 0 in all: the library cannot say.
    package var freeBytes: Int
    package var totalBytes: Int

    package init(
        libraryName: String, summary: String, kind: Kind, freeBytes: Int, totalBytes: Int
    ) {
        self.libraryName = libraryName
        self.summary = summary
        self.kind = kind
        self.freeBytes = freeBytes
        self.totalBytes = totalBytes
    }

    /// As people write it: `cpu`, `cuda:0`.
    package var name: String {
        let digits = libraryName.reversed().prefix { $0.isASCII && $0.isNumber }.count
        let word = libraryName.dropLast(digits).lowercased()
        return digits == 0 || word.isEmpty
            ? libraryName.lowercased() : "\(word):\(libraryName.suffix(digits))"
    }

    /// A worker's slots can run there.
    package var runsModels: Bool {
        switch kind {
        case .cpu, .gpu, .integratedGPU: true
        // They help a CPU with single operations.
        case .accelerator, .other: false
        }
    }

    /// All devices of the machine, in the library's order.
    package static func all() -> [ComputeDevice] {
        Library.prepare()
        return (0..<ggml_backend_dev_count()).compactMap { index in
            guard let device = unsafe ggml_backend_dev_get(index) else { return nil }
            var free = 0
            var total = 0
            unsafe ggml_backend_dev_memory(device, &free, &total)
            let kind: Kind =
                switch unsafe ggml_backend_dev_type(device) {
                case GGML_BACKEND_DEVICE_TYPE_CPU: .cpu
                case GGML_BACKEND_DEVICE_TYPE_GPU: .gpu
                case GGML_BACKEND_DEVICE_TYPE_IGPU: .integratedGPU
                case GGML_BACKEND_DEVICE_TYPE_ACCEL: .accelerator
                default: .other
                }
            // The library says all of it is free.
            if kind == .cpu, let available = HostMemory.availableBytes() { free = available }
            return unsafe ComputeDevice(
                libraryName: String(cString: ggml_backend_dev_name(device)),
                summary: String(cString: ggml_backend_dev_description(device)),
                kind: kind, freeBytes: free, totalBytes: total)
        }
    }

    /// The device of that name; without one the first GPU, or else the CPU.
    package static func choose(
        _ name: String?, among devices: [ComputeDevice] = all()
    ) throws(LlamaEngineError) -> ComputeDevice {
        let usable = devices.filter(\.runsModels)
        let found =
            if let name {
                usable.first { $0.name == name.lowercased() }
            } else {
                usable.first { $0.kind == .gpu } ?? usable.first { $0.kind == .cpu }
            }
        guard let found else {
            throw .deviceUnknown(name: name ?? "any", known: usable.map(\.name))
        }
        return found
    }
}
