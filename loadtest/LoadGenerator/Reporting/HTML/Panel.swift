/// A plot with its title and its legend.
struct Panel {
    var title: String
    /// The unit of its values.
    var unit: String
    var legend: [Key] = []
    var svg: String

    struct Key: Equatable {
        var label: String
        var color: Int
        var dash = 0
    }

    var html: String {
        let keys = legend.map { key in
            let color = LinePlot.palette[key.color % LinePlot.palette.count]
            let dash = LinePlot.dashes[key.dash % LinePlot.dashes.count]
            let dashing = dash.isEmpty ? "" : " stroke-dasharray=\"\(dash)\""
            return "<li><svg class=\"key\" viewBox=\"0 0 24 8\" aria-hidden=\"true\">"
                + "<path d=\"M1 4h22\" stroke=\"\(color)\" stroke-width=\"2\"\(dashing)/></svg>"
                + "\(Markup.text(key.label))</li>"
        }
        return "<figure class=\"panel\"><figcaption><strong>\(Markup.text(title))</strong> "
            + "<span>\(Markup.text(unit))</span></figcaption>"
            + (keys.isEmpty ? "" : "<ul class=\"legend\">\(keys.joined())</ul>")
            + "\(svg)</figure>"
    }

    /// nil: nothing to show.
    init?(title: String, unit: String, _ plot: LinePlot, hasLegend: Bool = true) {
        guard !plot.isEmpty else { return nil }
        self.title = title
        self.unit = unit
        svg = plot.svg
        guard hasLegend else { return }
        legend = plot.series.map { Key(label: $0.label, color: $0.color, dash: $0.dash) }
    }

    init?(title: String, unit: String, _ plot: RangePlot, legend: [Key]) {
        guard plot.rows.contains(where: { !$0.values.isEmpty }) else { return nil }
        self.title = title
        self.unit = unit
        self.legend = legend
        svg = plot.svg
    }
}
