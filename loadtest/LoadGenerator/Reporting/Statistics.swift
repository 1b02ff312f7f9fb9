import Foundation

/// What intervals are made of.
enum Statistics {
    static func mean(_ values: [Double]) -> Double {
        values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
    }

    /// Of a sample, with n - 1 in the denominator; 0 of fewer than two values.
    static func variance(_ values: [Double]) -> Double {
        guard values.count > 1 else { return 0 }
        let mean = mean(values)
        return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)
    }

    /// The 0.975 quantile of Student's t distribution, from its table, which is nearly straight
    /// between neighbours in 1/degrees. At least one degree of freedom.
    static func studentT975(degrees: Double) -> Double {
        let table: [(Double, Double)] = [
            (1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (6, 2.447), (7, 2.365),
            (8, 2.306), (9, 2.262), (10, 2.228), (12, 2.179), (15, 2.131), (20, 2.086),
            (30, 2.042), (60, 2.000), (120, 1.980),
        ]
        let normal = 1.960
        let degrees = max(1, degrees)
        guard let above = table.firstIndex(where: { $0.0 >= degrees }) else {
            let last = table[table.count - 1]
            return normal + (last.1 - normal) * last.0 / degrees
        }
        guard above > 0 else { return table[0].1 }
        let (low, high) = (table[above - 1], table[above])
        let share = (1 / low.0 - 1 / degrees) / (1 / low.0 - 1 / high.0)
        return low.1 + (high.1 - low.1) * share
    }
}
