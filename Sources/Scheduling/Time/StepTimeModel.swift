/// How long a simulated engine says that a step takes.
package enum StepTimeModel: Hashable, Sendable {
    /// No time at all: tokens at will, for measuring what surrounds the engine.
    case immediate
    /// llama.cpp on one device.
    case affine(AffineStepProfile)
    /// A dense transformer on H100 devices.
    case gpu(GPUStepModel)

    package func nanoseconds(_ shape: StepShape) -> Int64 {
        switch self {
        case .immediate: 0
        case .affine(let profile): Int64(profile.nanoseconds(shape) + 0.5)
        case .gpu(let model): Int64(model.nanoseconds(shape) + 0.5)
        }
    }
}
