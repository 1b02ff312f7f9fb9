import HTTPTransport
import Yams

/// Reads a scenario: a run of the load generator as YAML, all of whose keys are in
/// loadtest/README.md.
package enum ScenarioFile {
    /// A longer file is refused.
    package static let bytesMax = 4 << 20

    /// The run that `text` describes. Throws all that is wrong with it.
    package static func configuration(
        _ text: String, _ surroundings: ScenarioSurroundings
    ) throws(ScenarioError) -> LoadConfiguration {
        let problems = ScenarioProblems()
        let root = try parsed(text)
        let section = ScenarioSection(root, "the scenario", problems)
        let configuration = read(section, surroundings)
        guard problems.list.isEmpty, let configuration else {
            throw ScenarioError(problems: problems.list.sorted { $0.line < $1.line })
        }
        return configuration
    }

    private static func parsed(_ text: String) throws(ScenarioError) -> Node {
        func failure(_ line: Int, _ message: String) -> ScenarioError {
            ScenarioError(problems: [.init(line: line, message: message)])
        }
        guard text.utf8.count <= bytesMax else { throw failure(0, "more than \(bytesMax) bytes") }
        do {
            guard let root = try Yams.Parser(yaml: text, encoding: .utf8).singleRoot() else {
                throw failure(1, "an empty scenario")
            }
            return root
        } catch let error as ScenarioError {
            throw error
        } catch let error as YamlError {
            switch error {
            case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
                .composer(_, let problem, let mark, _):
                throw failure(mark.line, problem)
            case .duplicatedKeysInMapping(let keys, let context):
                throw failure(context.mark.line, "key \"\(keys.first ?? "")\" is given twice")
            default: throw failure(0, "\(error)")
            }
        } catch {
            throw failure(0, "\(error)")
        }
    }

    // MARK: The run

    private static func read(
        _ section: ScenarioSection, _ surroundings: ScenarioSurroundings
    ) -> LoadConfiguration? {
        defer { section.finish() }
        var configuration = LoadConfiguration(targets: targets(section))
        if let version: LoadConfiguration.HTTPVersion = section.choice("protocol") {
            configuration.version = version
        }
        configuration.connections = section.integer("connections", in: 1...1_000) ?? 1
        if let path = section.text("path") { configuration.path = path }
        configuration.fields = headers(section)
        readTrust(section, surroundings, &configuration)
        configuration.seed = UInt64(section.integer("seed", in: 0...Int.max) ?? 1)
        if let seconds = section.number("timeout_seconds", in: 0.001...86_400) {
            configuration.requestTimeoutSeconds = seconds
        }
        if let limit = section.integer("in_flight_max", in: 1...1_000_000) {
            configuration.inFlightMax = limit
        }
        readLoad(section, surroundings, &configuration)
        readExtent(section, &configuration)
        readObjective(section, &configuration)
        if let probe = section.section("probe") {
            require(probe, ["prompt_tokens": nil])
            configuration.probe = .init(
                promptTokens: probe.integer("prompt_tokens", in: 1...TrafficClass.promptTokensMax)
                    ?? 1,
                afterSeconds: probe.number("at_seconds", in: 0...86_400) ?? 3,
                count: probe.integer("count", in: 1...100_000) ?? 1)
            probe.finish()
        }
        if let mix = section.list("mix") {
            let sections = mix.map { ScenarioSection($0, "a class", section.problems) }
            configuration.classes = sections.map { TrafficClass($0, surroundings) }
            requireOneWindow(sections, configuration.classes)
            if configuration.version == .grpc {
                for (each, traffic) in zip(sections, configuration.classes) {
                    refuseWhatGRPCLacks(each, traffic)
                }
            }
        }
        if configuration.version == .grpc, let node = section.value("path") {
            section.problems.add(node, "path: not for gRPC, whose method is its path")
        }
        if let name = configuration.replay?.unknownClass(in: configuration.classes) {
            section.problems.add(
                section.value("load"), "trace: the mix has no class \"\(name)\", which it names")
        }
        return configuration
    }

    /// Slow readers of all classes share connections, and a connection has one size of windows.
    private static func requireOneWindow(
        _ sections: [ScenarioSection], _ classes: [TrafficClass]
    ) {
        let slow = zip(sections, classes).compactMap { section, traffic in
            traffic.slowReaders.map { (node: section.value("slow_readers"), $0.windowBytes) }
        }
        guard let first = slow.first?.1, let other = slow.first(where: { $0.1 != first }) else {
            return
        }
        sections.first?.problems.add(
            other.node,
            "window_bytes: slow readers of all classes have the same, and here are "
                + "\(first) and \(other.1)")
    }

    /// What xAI's messages cannot say (`XAIRequestBody`).
    private static func refuseWhatGRPCLacks(_ section: ScenarioSection, _ traffic: TrafficClass) {
        let name = traffic.name.map { "class \"\($0)\"" } ?? "a class"
        func refuse(_ key: String, _ more: String = "") {
            section.problems.add(
                section.value(key) ?? section.node, "\(name): \(key): not for gRPC\(more)")
        }
        if !traffic.extraMembers.isEmpty { refuse("members") }
        if traffic.ignoresEndOfSequence { refuse("ignore_eos") }
        if let tier = traffic.tier, XAIRequestBody.tiers[tier] == nil {
            let tiers = XAIRequestBody.tiers.keys.sorted().joined(separator: ", ")
            refuse("tier", ", where there are \(tiers), not \"\(tier)\"")
        }
    }

    private static func targets(_ section: ScenarioSection) -> [LoadTarget] {
        section.requireOne(of: ["target", "targets"])
        var nodes: [Node] = []
        if let one = section.value("target") { nodes.append(one) }
        if let more = section.list("targets") { nodes += more }
        return nodes.compactMap { node in
            guard let text = section.text(node, "target") else { return nil }
            guard let target = LoadTarget(url: text) else {
                section.problems.add(
                    node, "target: expected http://host:port or https://host:port, not \"\(text)\"")
                return nil
            }
            return target
        }
    }

    static func headers(_ section: ScenarioSection) -> [HTTPField] {
        guard let headers = section.section("headers") else { return [] }
        return headers.all().compactMap { entry in
            headers.text(entry.node, entry.key).map { HTTPField(entry.key.lowercased(), $0) }
        }
    }

    private static func readTrust(
        _ section: ScenarioSection, _ surroundings: ScenarioSurroundings,
        _ configuration: inout LoadConfiguration
    ) {
        guard let tls = section.section("tls") else { return }
        tls.requireOne(of: ["ca", "insecure"])
        if let path = tls.text("ca") {
            configuration.trust = .authority(path: surroundings.path(path))
        }
        if tls.flag("insecure") == true { configuration.trust = .anybody }
        tls.finish()
    }

    private static func readExtent(
        _ section: ScenarioSection, _ configuration: inout LoadConfiguration
    ) {
        let requests = section.integer("requests", in: 1...1_000_000_000)
        if let requests { configuration.extent = .requests(requests) }
        if let node = section.value("duration_seconds"),
            let seconds = section.number(node, "duration_seconds", in: 0.001...604_800)
        {
            if requests != nil {
                section.problems.add(node, "requests and duration_seconds exclude each other")
            }
            configuration.extent = .seconds(seconds)
        }
        guard let warmUp = section.section("warm_up") else { return }
        configuration.warmUpRequests = warmUp.integer("requests", in: 0...1_000_000) ?? 0
        configuration.warmUpSeconds = warmUp.number("seconds", in: 0...86_400) ?? 0
        warmUp.finish()
    }

    private static func readObjective(
        _ section: ScenarioSection, _ configuration: inout LoadConfiguration
    ) {
        guard let slo = section.section("slo") else { return }
        let range = 0.001...86_400_000
        configuration.objective = ServiceLevelObjective(
            timeToFirstToken: slo.number("ttft_ms", in: range),
            interTokenLatency: slo.number("itl_ms", in: range),
            timePerOutputToken: slo.number("tpot_ms", in: range),
            endToEnd: slo.number("e2e_ms", in: range))
        slo.finish()
    }
}
