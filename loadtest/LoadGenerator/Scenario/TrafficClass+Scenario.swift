import HTTPTransport
import Yams

extension TrafficClass {
    /// A class of a scenario's mix. What is wrong is noted in the section's problems.
    init(_ section: ScenarioSection, _ surroundings: ScenarioSurroundings) {
        self.init()
        let problems = section.problems
        name = section.text("name")
        weight = section.number("weight", in: 1e-6...1e6) ?? 1
        tenant = section.text("tenant")
        tier = section.text("tier")
        model = section.text("model") ?? model
        fields = ScenarioFile.headers(section) + Self.key(section, surroundings)
        let promptTokens = 1.0...Double(Self.promptTokensMax)
        if let lengths = section.distribution("prompt_tokens", surroundings, in: promptTokens) {
            prompt = .words(lengths)
        }
        if let node = section.value("prompts"), let path = section.text(node, "prompts") {
            if let list = surroundings.text(path).flatMap(Prompt.list(lines:)) {
                prompt = list
            } else {
                problems.add(node, "prompts: cannot read \(path), or it has no lines")
            }
        }
        output =
            section.distribution("output_tokens", surroundings, in: Self.tokens) ?? output
        ignoresEndOfSequence = section.flag("ignore_eos") ?? false
        temperature = section.number("temperature", in: 0...100) ?? temperature
        extraMembers = (section.list("members") ?? []).compactMap { section.text($0, "members") }
        readBehaviour(section, surroundings)
        section.finish()
    }

    private static let tokens = 1.0...Double(Trace.tokensMax)
    private static let fractions = 0.0...1.0

    private static func key(
        _ section: ScenarioSection, _ surroundings: ScenarioSurroundings
    ) -> [HTTPField] {
        var key = section.text("key")
        if let node = section.value("key_env"), let name = section.text(node, "key_env") {
            if key != nil {
                section.problems.add(node, "key and key_env exclude each other")
            }
            key = surroundings.variable(name)
            if key == nil {
                section.problems.add(node, "key_env: the environment has no \(name)")
            }
        }
        return key.map { [HTTPField("authorization", "Bearer \($0)")] } ?? []
    }

    private mutating func readBehaviour(
        _ section: ScenarioSection, _ surroundings: ScenarioSurroundings
    ) {
        if let shared = section.section("shared_prefix") {
            let prefix = SharedPrefix(
                pool: shared.integer("pool", in: 1...10_000) ?? 1,
                tokens: shared.integer("tokens", in: 1...1_000_000) ?? 1)
            ScenarioFile.require(shared, ["tokens": prefix.tokens])
            if prefix.pool * prefix.tokens > SharedPrefix.tokensMax {
                section.problems.add(
                    shared.node,
                    "shared_prefix: pool times tokens is at most "
                        + "\(SharedPrefix.tokensMax), not \(prefix.pool * prefix.tokens)")
            }
            sharedPrefix = prefix
            shared.finish()
        }
        if let turns = section.section("conversation") {
            conversation = Conversation(
                turns: turns.distribution("turns", surroundings, in: 1...10_000) ?? .constant(2),
                thinkSeconds: turns.distribution("think_seconds", surroundings, in: 0...86_400)
                    ?? .constant(0))
            ScenarioFile.require(turns, ["turns": conversation?.turns])
            turns.finish()
        }
        if let cancel = section.section("cancel") {
            cancel.requireOne(of: ["after_tokens", "after_ms"])
            let fraction = cancel.number("fraction", in: Self.fractions) ?? 1
            if let count = cancel.integer("after_tokens", in: 1...Trace.tokensMax) {
                cancels = Cancels(fraction: fraction, moment: .afterTokens(count))
            }
            if let milliseconds = cancel.number("after_ms", in: 0...86_400_000) {
                cancels = Cancels(
                    fraction: fraction, moment: .afterMilliseconds(milliseconds))
            }
            cancel.finish()
        }
        if let slow = section.section("slow_readers") {
            slow.requireOne(of: ["bytes_per_second", "stall_seconds"])
            let fraction = slow.number("fraction", in: Self.fractions) ?? 1
            if let rate = slow.number("bytes_per_second", in: 1...1e9) {
                slowReaders = SlowReaders(fraction: fraction, pace: .bytesPerSecond(rate))
            }
            if let seconds = slow.number("stall_seconds", in: 0...86_400) {
                slowReaders = SlowReaders(fraction: fraction, pace: .stall(seconds: seconds))
            }
            if let window = slow.integer("window_bytes", in: 1...(1 << 30)) {
                slowReaders?.windowBytes = window
            }
            slow.finish()
        }
    }
}

extension ScenarioSection {
    /// A number, or one of `uniform`, `lognormal` and `empirical`; all of its values in `range`.
    func distribution(
        _ key: String, _ surroundings: ScenarioSurroundings, in range: ClosedRange<Double>
    ) -> Distribution? {
        guard let node = value(key) else { return nil }
        guard case .mapping = node else {
            return number(node, key, in: range).map { .constant($0) }
        }
        let section = ScenarioSection(node, key, problems)
        section.requireOne(of: ["uniform", "lognormal", "empirical"])
        defer { section.finish() }
        if let ends = section.list("uniform") {
            let values = ends.compactMap { number($0, key, in: range) }
            guard values.count == 2, ends.count == 2, values[0] <= values[1] else {
                problems.add(node, "\(key): uniform has two numbers, the larger one last")
                return nil
            }
            return .uniform(from: values[0], to: values[1])
        }
        if let lognormal = section.section("lognormal") {
            let median = lognormal.number("median", in: range)
            let sigma = lognormal.number("sigma", in: 0...10)
            let max = lognormal.number("max", in: range) ?? range.upperBound
            ScenarioFile.require(lognormal, ["median": median, "sigma": sigma])
            lognormal.finish()
            guard let median, let sigma else { return nil }
            return .lognormal(median: median, sigma: sigma, max: max)
        }
        guard let empirical = section.value("empirical") else { return nil }
        if case .sequence = empirical {
            let values = (list(empirical, key) ?? []).compactMap { number($0, key, in: range) }
            return values.isEmpty ? nil : .empirical(values)
        }
        return column(ScenarioSection(empirical, key, problems), surroundings, in: range)
    }

    /// A column of a table of comma-separated values.
    private func column(
        _ section: ScenarioSection, _ surroundings: ScenarioSurroundings,
        in range: ClosedRange<Double>
    ) -> Distribution? {
        defer { section.finish() }
        ScenarioFile.require(section, ["file": nil, "column": nil])
        guard let path = section.text("file"), let name = section.text("column") else { return nil }
        guard let text = surroundings.text(path) else {
            problems.add(section.node, "cannot read \(path)")
            return nil
        }
        let lines: [TraceReader.Line]
        do {
            lines = try TraceReader.lines(text)
        } catch {
            problems.add(section.node, "\(path), \(error)")
            return nil
        }
        guard
            let column = lines.first.map({ CommaSeparated.cells($0.text) })?.firstIndex(of: name)
        else {
            problems.add(section.node, "\(path) has no column \"\(name)\"")
            return nil
        }
        var values: [Double] = []
        for line in lines.dropFirst() {
            let cells = CommaSeparated.cells(line.text)
            guard cells.count > column, let value = Double(cells[column]), range.contains(value)
            else {
                problems.add(section.node, "\(path), line \(line.number): no number to be used")
                return nil
            }
            values.append(value)
        }
        guard !values.isEmpty else {
            problems.add(section.node, "\(path) has no lines")
            return nil
        }
        return .empirical(values)
    }
}
