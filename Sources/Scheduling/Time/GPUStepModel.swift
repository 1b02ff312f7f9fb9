/// Closed form of one step of a dense transformer on NVIDIA H100 SXM devices joined by NVLink, for
/// simulations (SCHEDULING §3).
///
///     step = c0 + cl L + cs Nd + max(weight bytes / TP / bandwidth, 2 P n / TP / F(n))
///          + KV tokens kv bytes / TP / 2.9e12 + 4 L nq hd pairs / TP / 600e12
///          + 2 L AR(TP, n H 2)
///
/// n = decodes + prefill tokens; P parameters without the input embedding; F(n) the achieved
/// floating-point rate; AR a measured all-reduce.
package struct GPUStepModel: Hashable, Sendable {
    package enum Precision: Hashable, Sendable {
        case bfloat16
        case float8
    }

    /// What the serving engine adds to the kernels, nanoseconds.
    package struct Overhead: Hashable, Sendable {
        package var base: Double
        package var perLayer: Double
        package var perSequence: Double

        package static let vllm = Overhead(base: 1_900_000, perLayer: 18_000, perSequence: 29_000)
        package static let tensorRTLLM = Overhead(
            base: 500_000, perLayer: 22_000, perSequence: 8_000)
    }

    /// The shape of a model.
    package struct Model: Hashable, Sendable {
        package var layers: Int
        package var hidden: Int
        package var queryHeads: Int
        package var keyValueHeads: Int
        package var headDimension: Int
        /// Without the input embedding.
        package var parameters: Double

        package init(
            layers: Int, hidden: Int, queryHeads: Int, keyValueHeads: Int, headDimension: Int,
            parameters: Double
        ) {
            self.layers = layers
            self.hidden = hidden
            self.queryHeads = queryHeads
            self.keyValueHeads = keyValueHeads
            self.headDimension = headDimension
            self.parameters = parameters
        }

        package static let llama8B = Model(
            layers: 32, hidden: 4096, queryHeads: 32, keyValueHeads: 8, headDimension: 128,
            parameters: 7.5e9)
        package static let llama70B = Model(
            layers: 80, hidden: 8192, queryHeads: 64, keyValueHeads: 8, headDimension: 128,
            parameters: 69.5e9)
    }

    package var model: Model
    package var precision: Precision
    /// Devices that share each layer: 1, 2, 4 or 8.
    package var tensorParallel: Int
    package var overhead: Overhead

    package init(model: Model, precision: Precision, tensorParallel: Int, overhead: Overhead) {
        precondition([1, 2, 4, 8].contains(tensorParallel), "tensorParallel: \(tensorParallel)")
        self.model = model
        self.precision = precision
        self.tensorParallel = tensorParallel
        self.overhead = overhead
    }

    package func nanoseconds(_ shape: StepShape) -> Double {
        let devices = Double(tensorParallel)
        let layers = Double(model.layers)
        let tokens = Double(shape.tokens)
        let weightBytes = model.parameters * (precision == .float8 ? 1 : 2)
        let streaming = weightBytes / devices / weightBandwidth
        let computing = 2 * model.parameters * tokens / devices / rate(tokens)
        // Keys and values stay in bfloat16 whatever the weights are.
        let cacheBytes = layers * Double(2 * model.keyValueHeads * model.headDimension * 2)
        let reading = Double(shape.cacheTokens) * cacheBytes / devices / 2.9e12
        let width = Double(model.queryHeads * model.headDimension)
        let attention = 4 * layers * width * Double(shape.prefillPairs) / devices / 600e12
        let reducing = 2 * layers * allReduceSeconds(bytes: tokens * Double(model.hidden) * 2)
        let fixed =
            overhead.base + overhead.perLayer * layers
            + overhead.perSequence * Double(shape.decodes)
        return fixed + 1e9 * (max(streaming, computing) + reading + attention + reducing)
    }

    /// Bytes per second at which weights stream in small batches: the upper end of what was
    /// measured on single kernels (2.6-2.9 and 1.7-2.4 TB/s), which meets whole models best.
    private var weightBandwidth: Double { precision == .float8 ? 2.4e12 : 2.85e12 }

    /// Floating-point operations per second achieved with so many rows, measured.
    private func rate(_ rows: Double) -> Double {
        switch precision {
        case .bfloat16: Self.interpolate([(512, 780e12), (4096, 840e12)], at: rows)
        case .float8: Self.interpolate([(512, 1.1e15), (4096, 1.2e15), (8192, 1.3e15)], at: rows)
        }
    }

    /// Measured (bytes, microseconds), vLLM's custom all-reduce on H100 (calibration data).
    private func allReduceSeconds(bytes: Double) -> Double {
        let points: [(Double, Double)]
        switch tensorParallel {
        case 2:
            points = [
                (65_536, 4.75), (262_144, 6.32), (1_048_576, 12.38), (4_194_304, 44.96),
                (16_777_216, 156.34), (67_108_864, 468.76), (268_435_456, 1706.04),
            ]
        case 4:
            points = [
                (65_536, 5.80), (262_144, 11.40), (1_048_576, 18.60), (4_194_304, 53.53),
                (16_777_216, 191.23), (67_108_864, 618.84), (268_435_456, 2305.43),
            ]
        case 8:
            points = [
                (16_384, 5.58), (65_536, 7.86), (262_144, 11.99), (1_048_576, 19.39),
                (4_194_304, 50.70), (16_777_216, 177.75), (67_108_864, 577.39),
                (268_435_456, 2117.07),
            ]
        default: return 0
        }
        // Beyond the last point the links' bandwidth is all that counts.
        let last = points[points.count - 1]
        let microseconds =
            bytes > last.0 ? last.1 * bytes / last.0 : Self.interpolate(points, at: bytes)
        return microseconds * 1e-6
    }

    /// Linear between points given in ascending order, constant outside of them.
    private static func interpolate(_ points: [(Double, Double)], at x: Double) -> Double {
        guard var low = points.first, x > low.0 else { return points.first?.1 ?? 0 }
        for high in points.dropFirst() {
            if x <= high.0 { return low.1 + (high.1 - low.1) * (x - low.0) / (high.0 - low.0) }
            low = high
        }
        return low.1
    }
}
