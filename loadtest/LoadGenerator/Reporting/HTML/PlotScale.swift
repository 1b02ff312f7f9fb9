import Foundation

/// From values to places along an axis, with the values that are named on it.
struct PlotScale: Equatable {
    struct Tick: Equatable {
        var value: Double
        var label: String
    }

    let isLogarithmic: Bool
    let low: Double
    let high: Double
    private(set) var ticks: [Tick] = []

    /// From 0 to `high` or somewhat more.
    static func linear(to high: Double, ticks wanted: Int = 5) -> PlotScale {
        let high = high > 0 && high.isFinite ? high : 1
        let step = roundStep(high / Double(wanted))
        let top = (high / step).rounded(.up) * step
        var scale = PlotScale(isLogarithmic: false, low: 0, high: top)
        let count = Int((top / step).rounded())
        scale.ticks = (0...count).map { index in
            let value = Double(index) * step
            return Tick(value: value, label: label(value, step: step))
        }
        return scale
    }

    /// Around positive values. Ticks at 1, 2 and 5 of each decade, or at 1 alone when they are
    /// many; evenly spaced where the values are close together.
    static func logarithmic(_ low: Double, _ high: Double) -> PlotScale {
        let low = low > 0 && low.isFinite ? low : 1
        let high = max(high.isFinite ? high : low, low * 1.02)
        let values = near(low, high) ?? decades(low, high)
        var scale = PlotScale(
            isLogarithmic: true, low: values[0], high: values[values.count - 1])
        var shown = values
        if shown.count > 8 { shown = values.filter { isPowerOfTen($0) } }
        if shown.count > 8 {
            shown = shown.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
        }
        let step = values.count > 1 ? values[1] - values[0] : values[0]
        scale.ticks = shown.map { Tick(value: $0, label: label($0, step: min($0, step))) }
        return scale
    }

    /// 1, 2 and 5 of each decade, at least two of them.
    private static func decades(_ low: Double, _ high: Double) -> [Double] {
        let exponents = Int(log10(low).rounded(.down))...Int(log10(high).rounded(.up))
        let values = exponents.flatMap { exponent in
            [1.0, 2, 5].map { $0 * pow(10, Double(exponent)) }
        }
        let first = values.last { $0 <= low * 1.000_001 } ?? low
        let last = values.first { $0 >= high * 0.999_999 } ?? high
        return values.filter { $0 >= first * 0.999 && $0 <= last * 1.001 }
    }

    /// nil: the values are far apart.
    private static func near(_ low: Double, _ high: Double) -> [Double]? {
        guard high < low * 6 else { return nil }
        let step = roundStep((high - low) / 4)
        let first = (low / step * 1.000_001).rounded(.down)
        let last = (high / step * 0.999_999).rounded(.up)
        guard first >= 1, last > first else { return nil }
        return stride(from: first, through: last, by: 1).map { $0 * step }
    }

    private init(isLogarithmic: Bool, low: Double, high: Double) {
        self.isLogarithmic = isLogarithmic
        self.low = low
        self.high = high
    }

    /// 0 at `low`, 1 at `high`; what is outside is at the nearer end.
    func place(_ value: Double) -> Double {
        guard isLogarithmic else { return min(1, max(0, (value - low) / (high - low))) }
        guard value > 0 else { return 0 }
        return min(1, max(0, log(value / low) / log(high / low)))
    }

    private static func isPowerOfTen(_ value: Double) -> Bool {
        let exponent = log10(value)
        return abs(exponent - exponent.rounded()) < 1e-6
    }

    /// 1, 2 or 5 times a power of ten, at least `raw`.
    private static func roundStep(_ raw: Double) -> Double {
        let power = pow(10, log10(raw).rounded(.down))
        return ([1, 2, 5].map { $0 * power }.first { $0 >= raw * 0.999_999 }) ?? 10 * power
    }

    /// Thousands as `k`, millions as `M`; as many decimals as `step` needs.
    static func label(_ value: Double, step: Double) -> String {
        if value == 0 { return "0" }
        let size = abs(value)
        for (unit, name) in [(1e6, "M"), (1e3, "k")] where size >= unit * (unit == 1e3 ? 10 : 1) {
            return Decimals.text(value / unit, step >= unit ? 0 : step >= unit / 10 ? 1 : 2) + name
        }
        let decimals = step >= 0.999 ? 0 : Int((-log10(step)).rounded(.up))
        return Decimals.text(value, min(6, decimals))
    }
}
