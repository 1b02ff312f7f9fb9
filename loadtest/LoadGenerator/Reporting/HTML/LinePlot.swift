/// Lines over a common axis, as SVG. Its legend is the panel's own, outside of the picture.
struct LinePlot {
    struct Series {
        var label: String
        /// Which of the palette's colours.
        var color: Int
        /// Which of the dash patterns; 0 is a solid line.
        var dash = 0
        /// By ascending x; nil: the line is interrupted.
        var points: [(x: Double, y: Double?)]
        /// Whether each point has a dot.
        var hasDots = false
    }

    /// A value that is marked across the whole plot.
    struct Mark: Equatable {
        var value: Double
        var label: String
        var isVertical: Bool
        var color: Int?
    }

    /// What the picture shows, for those who cannot see it.
    var description: String
    var xTitle: String
    var series: [Series]
    var marks: [Mark] = []
    var xIsLogarithmic = false
    var yIsLogarithmic = false
    /// The y axis ends here; nil: where the values do.
    var yMax: Double?

    /// One for each run of a page, as many as a page has.
    static let palette = [
        "#0068a8", "#c8500a", "#00805c", "#a8437f", "#8a6d00", "#5b5bd6",
        "#3f9bd8", "#7a2e00", "#4fb286", "#5c1747", "#c9a227", "#24246b",
    ]
    static let dashes = [
        "", "5 3", "1.5 3", "8 3 1.5 3", "12 3", "10 3 5 3", "5 3 1.5 3 1.5 3", "12 5 1.5 5",
    ]

    /// The dash of a run's line: on paper without colours, runs of the palette's second half differ
    /// from those of its first.
    static func dash(run: Int, line: Int) -> Int {
        line % 4 + (run % palette.count < palette.count / 2 ? 0 : 4)
    }

    private static let width = 520.0
    private static let height = 264.0
    private static let left = 48.0
    private static let right = 16.0
    private static let top = 14.0
    private static let bottom = 48.0

    var isEmpty: Bool { !series.contains { $0.points.contains { $0.y != nil } } }

    var svg: String {
        let values = series.flatMap { $0.points.compactMap { point in point.y } }
        let places = series.flatMap { $0.points.map { point in point.x } }
        let marksX = marks.filter(\.isVertical).map(\.value)
        let marksY = marks.filter { !$0.isVertical }.map(\.value)
        let x = Self.scale(places + marksX, xIsLogarithmic, nil, ticks: 7)
        let y = Self.scale(values + marksY, yIsLogarithmic, yMax, ticks: 5)
        return """
            <svg viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" role="img" \
            aria-label="\(Markup.text(description))">\
            \(frame(x, y))\(series.map { line($0, x, y) }.joined())\
            \(marks.map { mark($0, x, y) }.joined())</svg>
            """
    }

    private static func scale(_ values: [Double], _ isLogarithmic: Bool, _ top: Double?, ticks: Int)
        -> PlotScale
    {
        guard isLogarithmic else {
            return .linear(to: top ?? values.max() ?? 1, ticks: ticks)
        }
        let positive = values.filter { $0 > 0 }
        return .logarithmic(positive.min() ?? 1, positive.max() ?? 10)
    }

    private static func x(_ scale: PlotScale, _ value: Double) -> Double {
        left + scale.place(value) * (width - left - right)
    }

    private static func y(_ scale: PlotScale, _ value: Double) -> Double {
        height - bottom - scale.place(value) * (height - top - bottom)
    }

    private func frame(_ xScale: PlotScale, _ yScale: PlotScale) -> String {
        var out = ""
        let (left, floor) = (Markup.at(Self.left), Markup.at(Self.height - Self.bottom))
        let end = Markup.at(Self.width - Self.right)
        for tick in yScale.ticks {
            let y = Self.y(yScale, tick.value)
            out += "<path class=\"grid\" d=\"M\(left) \(Markup.at(y))H\(end)\"/>"
            out += "<text class=\"tick\" text-anchor=\"end\" x=\"\(Markup.at(Self.left - 6))\" "
            out += "y=\"\(Markup.at(y + 4))\">\(Markup.text(tick.label))</text>"
        }
        for tick in xScale.ticks {
            let x = Markup.at(Self.x(xScale, tick.value))
            out += "<path class=\"axis\" d=\"M\(x) \(floor)v4\"/>"
            out += "<text class=\"tick\" text-anchor=\"middle\" x=\"\(x)\" "
            out += "y=\"\(Markup.at(Self.height - Self.bottom + 20))\">"
            out += "\(Markup.text(tick.label))</text>"
        }
        out += "<path class=\"axis\" d=\"M\(left) \(floor)H\(end)\"/>"
        out += "<text class=\"title\" text-anchor=\"middle\" "
        out += "x=\"\(Markup.at((Self.left + Self.width - Self.right) / 2))\" "
        out += "y=\"\(Markup.at(Self.height - 8))\">\(Markup.text(xTitle))</text>"
        return out
    }

    private func line(_ series: Series, _ xScale: PlotScale, _ yScale: PlotScale) -> String {
        let color = Self.palette[series.color % Self.palette.count]
        let dash = Self.dashes[series.dash % Self.dashes.count]
        var path = ""
        var dots = ""
        var begins = true
        for point in series.points {
            guard let value = point.y, value.isFinite, point.x.isFinite else {
                begins = true
                continue
            }
            let x = Markup.at(Self.x(xScale, point.x))
            let y = Markup.at(Self.y(yScale, value))
            // A lone point is a short stroke, which the round ends make a dot.
            path += begins ? "M\(x) \(y)h0.1" : "L\(x) \(y)"
            begins = false
            if series.hasDots { dots += "<circle cx=\"\(x)\" cy=\"\(y)\" r=\"3\"/>" }
        }
        let dashing = dash.isEmpty ? "" : " stroke-dasharray=\"\(dash)\""
        return "<g stroke=\"\(color)\" fill=\"\(color)\">"
            + "<path class=\"line\"\(dashing) d=\"\(path)\"/>\(dots)</g>"
    }

    private func mark(_ mark: Mark, _ xScale: PlotScale, _ yScale: PlotScale) -> String {
        let color = mark.color.map { Self.palette[$0 % Self.palette.count] } ?? "#57606a"
        let label = Markup.text(mark.label)
        let top = Markup.at(Self.top)
        if mark.isVertical {
            let x = Self.x(xScale, mark.value)
            let isRight = x > Self.width / 2
            // Each curve's own mark above the others'.
            let noteY = Self.height - Self.bottom - 7 - Double(mark.color ?? 0) * 15
            return "<path class=\"mark\" stroke=\"\(color)\" d=\"M\(Markup.at(x)) \(top)"
                + "V\(Markup.at(Self.height - Self.bottom))\"/>"
                + "<text class=\"note\" fill=\"\(color)\" "
                + "text-anchor=\"\(isRight ? "end" : "start")\" "
                + "x=\"\(Markup.at(x + (isRight ? -5 : 5)))\" "
                + "y=\"\(Markup.at(noteY))\">\(label)</text>"
        }
        let y = Self.y(yScale, mark.value)
        return "<path class=\"mark\" stroke=\"\(color)\" d=\"M\(Markup.at(Self.left)) "
            + "\(Markup.at(y))H\(Markup.at(Self.width - Self.right))\"/>"
            + "<text class=\"note\" fill=\"\(color)\" x=\"\(Markup.at(Self.left + 5))\" "
            + "y=\"\(Markup.at(max(Self.top + 8, y - 4)))\">\(label)</text>"
    }
}
