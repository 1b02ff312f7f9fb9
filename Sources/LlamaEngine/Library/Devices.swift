internal import CLlama

/// A device that the library can compute on.
package struct ComputeDevice: Hashable, Sendable {
    package enum Kind: String, Sendable {
        case cpu, gpu, integratedGPU, accelerator, other
    }

    /// The library's short name: `CPU`, `CUDA0`.
    package var name: String
    /// The maker's name of the device.
    package var summary: String
    package var kind: Kind
    /// Bytes now free and in all; of a CPU the machine's memory.
    package var freeBytes: Int
    package var totalBytes: Int

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
            return unsafe ComputeDevice(
                name: String(cString: ggml_backend_dev_name(device)),
                summary: String(cString: ggml_backend_dev_description(device)),
                kind: kind, freeBytes: free, totalBytes: total)
        }
    }
}
