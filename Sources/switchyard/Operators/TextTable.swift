import Foundation

/// Rows of cells as lines for people, the first row being the heads of the columns.
struct TextTable {
    let lines: [String]

    init(_ rows: [[String]]) {
        let columns = rows.first?.indices ?? 0..<0
        let widths = columns.map { column in rows.map { $0[column].count }.max() ?? 0 }
        lines = rows.map { row in
            zip(row, widths).map { cell, width in
                cell.padding(toLength: width, withPad: " ", startingAt: 0)
            }.joined(separator: "  ")
        }.map { line in
            // Nothing at the end, but the first column may be blank.
            String(line.reversed().drop { $0 == " " }.reversed())
        }
    }

    /// At most three significant digits, without an exponent and zeros at the end.
    static func number(_ value: Double) -> String {
        String(format: abs(value) >= 1_000 ? "%.0f" : "%.3g", value)
    }
}
