import Foundation
import FoundationXML
import Testing

@testable import LoadGenerator

@Suite struct HTMLReportTests {
    /// What a page is made of; nil when it is not well-formed.
    private final class Outline: NSObject, XMLParserDelegate {
        var elements: [String: Int] = [:]
        var addresses: [String] = []
        var labels: [String] = []
        var text = ""

        static func of(_ page: String) -> Outline? {
            let outline = Outline()
            let parser = XMLParser(data: Data(page.utf8))
            parser.delegate = outline
            return parser.parse() ? outline : nil
        }

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
            qualifiedName: String?, attributes: [String: String]
        ) {
            elements[name, default: 0] += 1
            for key in ["src", "href", "xlink:href"] {
                if let address = attributes[key] { addresses.append(address) }
            }
            if let label = attributes["aria-label"] { labels.append(label) }
        }

        func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
    }

    private static func run(_ name: String, factor: UInt64 = 1, isOpen: Bool = false) throws
        -> LoadReport
    {
        let classes = [
            RequestClass(tenant: "a & b", tier: "priority"),
            RequestClass(tenant: "<script>", tier: "batch"),
        ]
        var measured = Measurements(
            classes: classes, objective: .init(timeToFirstToken: 50), start: 0)
        for index in 0..<40 as Range<UInt64> {
            let start = index * 250_000_000
            let kind = Int(index % 2)
            measured.sent(class: kind, intended: start, at: start)
            var outcome = RequestOutcome(intended: start, end: start + 100_000_000 * factor)
            outcome.first = start + 20_000_000 * factor
            outcome.deltas = 8
            outcome.outputTokens = 8
            measured.firstToken(intended: start, at: start + 20_000_000 * factor)
            measured.gap(class: kind, from: start, to: start + 10_000_000 * factor)
            measured.delivered(class: kind, deltas: 8, at: outcome.end)
            if index == 39 { outcome.failure = "status 500 \"<&>\u{1}" }
            measured.ended(class: kind, outcome, at: outcome.end)
        }
        measured.finish(at: 10_000_000_000)
        return try LoadReport.sample(measured, seconds: 10, rate: isOpen ? 4 : nil)
    }

    private static func knee() throws -> KneeReport {
        var knee = KneeReport(objective: .init(timeToFirstToken: 50), share: 0.99)
        for (rate, factor) in [(1.0, 1 as UInt64), (2, 2), (4, 9)] {
            var point = try KneeReport.Point(run("knee", factor: factor), rate: rate)
            point.met = factor < 9
            knee.points.append(point)
        }
        knee.kneeRate = 2
        knee.isConfirmed = true
        return knee
    }

    @Test func isWellFormedWhateverNamesHold() throws {
        let page = HTMLReport(
            title: "A <title> & \"more\"",
            runs: [.init(label: "one & <two>", report: try Self.run("one"))]
        ).html
        let outline = try #require(Outline.of(page))
        #expect(outline.text.contains("A <title> & \"more\""))
        #expect(outline.text.contains("<script>"))
        #expect(outline.elements["script"] == nil)
    }

    @Test func fetchesNothing() throws {
        let page = HTMLReport(
            title: "x", runs: [.init(label: "one", report: try Self.run("one"))],
            knees: [.init(label: "knee", report: try Self.knee())]
        ).html
        let outline = try #require(Outline.of(page))
        #expect(outline.addresses.isEmpty)
        for word in ["url(", "@import", "http://", "https://"] {
            let rest = page.replacingOccurrences(of: "http://www.w3.org/1999/xhtml", with: "")
            #expect(!rest.contains(word), "\(word)")
        }
        for element in ["script", "link", "img", "iframe"] {
            #expect(outline.elements[element] == nil, "\(element)")
        }
    }

    @Test func hasAPanelForEachQuestion() throws {
        let page = HTMLReport(
            title: "x",
            runs: [
                .init(label: "one", report: try Self.run("one")),
                .init(label: "two", report: try Self.run("two", factor: 2)),
            ], knees: [.init(label: "knee", report: try Self.knee())]
        ).html
        let outline = try #require(Outline.of(page))
        for words in [
            "Output, tokens per second, over", "Time to first token, milliseconds, over",
            "Time between tokens, milliseconds, over",
            "Cumulative distribution of time to first token",
            "Cumulative distribution of time between tokens",
            "Time to first token, milliseconds, against", "Output tokens per second by tier",
            "Output tokens per second by tenant", "Time to first token by tenant",
        ] {
            #expect(outline.labels.contains { $0.hasPrefix(words) }, "\(words)")
        }
        #expect(outline.text.contains("knee 2.00/s"))
        #expect(outline.text.contains("limit 50.0 ms"))
        #expect(outline.text.contains("two, p99"))
        #expect(outline.elements["figure"] == outline.labels.count)
    }

    @Test func twoServersAreSideBySide() throws {
        let one = try Self.run("one")
        var two = try Self.run("two", factor: 2)
        two.otherErrors = ["warm-up: status 500": 3]
        let page = HTMLReport(
            title: "x",
            runs: [.init(label: "ours", report: one), .init(label: "other", report: two)]
        ).html
        #expect(try #require(Outline.of(page)).text.contains("Good: TTFT <= 50 ms."))
        for head in ["good/s", "good, %", "shed", "failed otherwise", "Jain, tokens"] {
            #expect(page.contains("<th scope=\"col\">\(head)</th>"), "\(head)")
        }
        for (label, report) in [("ours", one), ("other", two)] {
            let (goodput, fairness) = try #require(
                report.goodput.flatMap { goodput in report.fairness.map { (goodput, $0) } })
            let cells = [
                Decimals.short(goodput.requestsPerSecond),
                Decimals.text(try #require(goodput.fraction) * 100, 1), "0", "1", "0",
                Decimals.text(fairness.outputTokens, 3), Decimals.text(fairness.succeeded, 3),
            ].map { "<td>\($0)</td>" }.joined()
            #expect(page.contains("<th scope=\"row\">\(label)</th>\(cells)"), "\(label)")
        }
        #expect(page.contains("other: 3 × warm-up: status 500"))
    }

    @Test func noTwoRunsOfAPageLookTheSame() throws {
        let runs = try (0..<12).map { HTMLReport.Run(label: "\($0)", report: try Self.run("x")) }
        let page = HTMLReport(title: "x", runs: runs).html
        // The legends' samples: 12 for each panel of one line a run, 24 where it has two.
        let panels = page.components(separatedBy: "<figure").dropFirst()
        #expect(!panels.isEmpty)
        for panel in panels {
            let keys = panel.components(separatedBy: "<path d=\"M1 4h22\"").dropFirst().map {
                String($0.prefix { $0 != ">" })
            }
            #expect(keys.count >= 12)
            #expect(Set(keys).count == keys.count)
        }
        // Without their colours too, the seventh is not the first.
        #expect(
            Set((0..<12).map { LinePlot.dash(run: $0, line: 0) }).count == 2)
        #expect(LinePlot.dash(run: 6, line: 0) != LinePlot.dash(run: 0, line: 0))
    }

    @Test func runsAtDifferentLoadsShowTheirKnee() throws {
        let runs = try [(4.0, 1 as UInt64), (8, 1), (16, 9)].map { rate, factor in
            var report = try Self.run("x", factor: factor, isOpen: true)
            report.sent = Int(rate * report.seconds)
            return HTMLReport.Run(label: "\(Int(rate))/s", report: report)
        }
        let outline = try #require(Outline.of(HTMLReport(title: "x", runs: runs).html))
        #expect(outline.labels.contains { $0.hasPrefix("Time to first token, milliseconds, aga") })
        #expect(outline.text.contains("knee: beyond it TTFT p99 doubles"))
        // Runs of one load are compared, not drawn over it.
        let same = HTMLReport(title: "x", runs: [runs[0], runs[0], runs[0]]).html
        #expect(try #require(Outline.of(same)).labels.allSatisfy { !$0.contains("against") })
    }

    @Test func theFirstFormOfAReportHasAPageToo() throws {
        var report = try Self.run("old")
        report.timeline = nil
        report.cdfs = nil
        report.tiers = nil
        report.tenants = nil
        report.settings = nil
        let page = HTMLReport(title: "x", runs: [.init(label: "old", report: report)]).html
        #expect(try #require(Outline.of(page)).elements["figure"] == nil)
    }
}

@Suite struct PlotScaleTests {
    @Test(arguments: [0.0003, 0.9, 1, 7, 42, 999, 1_001, 123_456, 7e8])
    func linearScalesHoldTheirValuesWithFewTicks(_ high: Double) {
        let scale = PlotScale.linear(to: high)
        #expect(scale.high >= high)
        #expect(scale.high <= high * 2)
        #expect((3...7).contains(scale.ticks.count))
        #expect(Set(scale.ticks.map(\.label)).count == scale.ticks.count, "\(scale.ticks)")
        #expect(scale.place(0) == 0 && scale.place(scale.high) == 1)
    }

    @Test(arguments: [
        (0.001, 100_000.0), (1, 1.01), (3, 47), (90, 110), (0.5, 2_000), (20.1, 22.7), (499, 503),
    ])
    func logarithmicScalesHoldTheirValuesWithFewTicks(_ low: Double, _ high: Double) {
        let scale = PlotScale.logarithmic(low, high)
        #expect(scale.low <= low && scale.high >= high)
        #expect((2...8).contains(scale.ticks.count), "\(scale.ticks)")
        #expect(Set(scale.ticks.map(\.label)).count == scale.ticks.count, "\(scale.ticks)")
        #expect(scale.place(scale.low) == 0)
        #expect(abs(scale.place(scale.high) - 1) < 1e-9)
        let middle = (scale.low * scale.high).squareRoot()
        #expect(abs(scale.place(middle) - 0.5) < 1e-9)
    }

    @Test func brokenValuesMakeNoBrokenScale() {
        #expect(PlotScale.linear(to: .nan).high == 1)
        #expect(PlotScale.linear(to: 0).high == 1)
        #expect(PlotScale.logarithmic(0, .infinity).high.isFinite)
    }
}
