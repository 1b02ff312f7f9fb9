/// A row for each group and run: a bar, or the span from p50 over p90 to p99. As SVG.
struct RangePlot {
    struct Row: Equatable {
        var label: String
        var color: Int
        /// One value: a bar from 0. Three: a dot, a stroke and the end of a line.
        var values: [Double]
        /// What stands behind it.
        var note: String
    }

    var description: String
    var xTitle: String
    var rows: [Row]
    var isLogarithmic = false

    private static let width = 520.0
    private static let rowHeight = 20.0
    private static let left = 130.0
    private static let right = 74.0
    private static let top = 8.0
    private static let bottom = 42.0
    private static let labelCharacters = 16

    var svg: String {
        let height = Self.top + Self.bottom + Double(max(1, rows.count)) * Self.rowHeight
        let values = rows.flatMap(\.values)
        let scale: PlotScale =
            isLogarithmic
            ? .logarithmic(values.filter { $0 > 0 }.min() ?? 1, values.max() ?? 10)
            : .linear(to: values.max() ?? 1, ticks: 4)
        var out = frame(scale, height)
        var previous = ""
        for (index, row) in rows.enumerated() {
            let y = Self.top + (Double(index) + 0.5) * Self.rowHeight
            // Neighbours of one group have its name once.
            if row.label != previous { out += label(row.label, y) }
            previous = row.label
            out += self.row(row, scale, y)
        }
        return """
            <svg viewBox="0 0 \(Int(Self.width)) \(Int(height))" role="img" \
            aria-label="\(Markup.text(description))">\(out)</svg>
            """
    }

    private func x(_ scale: PlotScale, _ value: Double) -> Double {
        Self.left + scale.place(value) * (Self.width - Self.left - Self.right)
    }

    private func frame(_ scale: PlotScale, _ height: Double) -> String {
        let (top, floor) = (Markup.at(Self.top), Markup.at(height - Self.bottom))
        var out = ""
        for tick in scale.ticks {
            let x = Markup.at(self.x(scale, tick.value))
            out += "<path class=\"grid\" d=\"M\(x) \(top)V\(floor)\"/>"
            out += "<text class=\"tick\" text-anchor=\"middle\" x=\"\(x)\" "
            out += "y=\"\(Markup.at(height - Self.bottom + 16))\">\(Markup.text(tick.label))</text>"
        }
        out += "<text class=\"title\" text-anchor=\"middle\" "
        out += "x=\"\(Markup.at((Self.left + Self.width - Self.right) / 2))\" "
        out += "y=\"\(Markup.at(height - 8))\">\(Markup.text(xTitle))</text>"
        return out
    }

    private func label(_ label: String, _ y: Double) -> String {
        let isLong = label.count > Self.labelCharacters
        // Names of one kind often differ at their ends.
        let shown = isLong ? "\(label.prefix(9))…\(label.suffix(6))" : label
        return "<text class=\"row\" text-anchor=\"end\" x=\"\(Markup.at(Self.left - 8))\" "
            + "y=\"\(Markup.at(y + 4))\">\(Markup.text(shown))"
            + (isLong ? "<title>\(Markup.text(label))</title>" : "") + "</text>"
    }

    private func row(_ row: Row, _ scale: PlotScale, _ y: Double) -> String {
        guard let first = row.values.first, let last = row.values.max() else { return "" }
        let color = LinePlot.palette[row.color % LinePlot.palette.count]
        let (begin, end) = (x(scale, first), x(scale, last))
        var out = "<g fill=\"\(color)\" stroke=\"\(color)\">"
        if row.values.count == 1 {
            let length = max(0.5, end - Self.left)
            out += "<rect class=\"bar\" x=\"\(Markup.at(Self.left))\" y=\"\(Markup.at(y - 6))\" "
            out += "width=\"\(Markup.at(length))\" height=\"12\"/>"
        } else {
            out += "<path class=\"span\" d=\"M\(Markup.at(begin)) \(Markup.at(y))"
            out += "H\(Markup.at(end))\"/>"
            for value in row.values.dropFirst() {
                out += "<path class=\"span\" d=\"M\(Markup.at(x(scale, value))) "
                out += "\(Markup.at(y - 5))v10\"/>"
            }
            out += "<circle cx=\"\(Markup.at(begin))\" cy=\"\(Markup.at(y))\" r=\"4\"/>"
        }
        out += "</g><text class=\"tick\" x=\"\(Markup.at(end + 7))\" y=\"\(Markup.at(y + 4))\">"
        return out + "\(Markup.text(row.note))</text>"
    }
}
