import Yams

extension ScenarioFile {
    static let rates = 1e-6...1e6

    /// When requests come. Without `load` it is one at a time.
    static func readLoad(
        _ section: ScenarioSection, _ surroundings: ScenarioSurroundings,
        _ configuration: inout LoadConfiguration
    ) {
        guard let load = section.section("load") else { return }
        load.requireOne(
            of: ["concurrency", "poisson", "constant", "bursty", "ramp", "trace"])
        if let count = load.integer("concurrency", in: 1...20_000) {
            configuration.load = .closed(concurrency: count)
        }
        let seed = configuration.seed
        func open(_ shape: ArrivalSchedule.Shape, _ rate: Double) {
            configuration.load = .open(ArrivalSchedule(shape: shape, rate: rate, seed: seed))
        }
        if let rate = load.number("poisson", in: rates) { open(.poisson, rate) }
        if let rate = load.number("constant", in: rates) { open(.constant, rate) }
        if let bursty = load.section("bursty") {
            let rate = bursty.number("rate", in: rates)
            let variation = bursty.number("cv", in: 0.01...100)
            require(bursty, ["rate": rate, "cv": variation])
            if let rate, let variation { open(.bursty(variation: variation), rate) }
            bursty.finish()
        }
        if let ramp = load.section("ramp") {
            let from = ramp.number("from", in: 0...1e6)
            let to = ramp.number("to", in: rates)
            let seconds = ramp.number("seconds", in: 0.001...604_800)
            require(ramp, ["from": from, "to": to, "seconds": seconds])
            if let from, let to, let seconds { open(.ramp(to: to, seconds: seconds), from) }
            ramp.finish()
        }
        if let trace = load.section("trace") { readTrace(trace, surroundings, &configuration) }
        load.finish()
    }

    private static func readTrace(
        _ section: ScenarioSection, _ surroundings: ScenarioSurroundings,
        _ configuration: inout LoadConfiguration
    ) {
        let scales = 1e-6...1e6
        let time = section.number("time_scale", in: scales)
        let prompt = section.number("prompt_scale", in: scales)
        let output = section.number("output_scale", in: scales)
        let first = section.integer("first", in: 1...1_000_000_000)
        if let node = section.value("file"), let path = section.text(node, "file") {
            if let text = surroundings.text(path) {
                do {
                    var trace = try TraceReader.trace(text)
                    if let first { trace = trace.first(first) }
                    configuration.play(
                        try TraceReplay(
                            trace, timeScale: time ?? 1, promptScale: prompt ?? 1,
                            outputScale: output ?? 1))
                } catch {
                    section.problems.add(node, "file: \(path), \(error)")
                }
            } else {
                section.problems.add(node, "file: cannot read \(path)")
            }
        } else {
            require(section, ["file": section.text("file")])
        }
        section.finish()
    }

    /// Notes the keys that are missing; those with a wrong value were noted already.
    static func require(_ section: ScenarioSection, _ values: KeyValuePairs<String, Any?>) {
        for (key, _) in values where section.value(key) == nil {
            section.problems.add(section.node, "key \"\(key)\" is missing")
        }
    }
}
