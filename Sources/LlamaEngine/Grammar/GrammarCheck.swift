/// Proves, before the library sees a grammar, that it will not abort, loop or exhaust memory on it.
///
/// Why not leave it to the library: it prints a refused grammar to standard error; `{5,2}` makes
/// it allocate without end; it misses left recursion behind a rule that is empty only
/// indirectly, and then expands it forever or asserts; its search for left recursion takes
/// exponential time on rules that share leftmost parts; literals under nested repetitions are
/// written out.
package enum GrammarCheck {
    /// Returns the names of the tokens that the grammar refers to, which only a model can check.
    @discardableResult
    package static func validate(
        _ text: String, limits: GrammarLimits = GrammarLimits()
    ) throws(GrammarError) -> [String] {
        let parser = try GrammarParser(text, limits: limits)
        let rules = parser.rules
        let alternatives = rules.map { $0.alternatives ?? [] }

        var elements = 0
        for rule in alternatives { elements = adding(elements, size(rule)) }
        guard elements <= limits.elementsMax else {
            throw .tooLarge(limit: "elements", allowed: limits.elementsMax)
        }

        let nullable = nullableRules(alternatives)
        let edges = alternatives.map { leftmost($0, nullable, weight: 1) }
        try checkLeftmost(edges, names: rules.map(\.name), limits: limits)
        return parser.tokenNames
    }

    // MARK: Size

    private static func adding(_ left: Int, _ right: Int) -> Int {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }

    private static func multiplying(_ left: Int, _ right: Int) -> Int {
        let (product, overflow) = left.multipliedReportingOverflow(by: right)
        return overflow ? .max : product
    }

    /// Elements of a rule with these alternatives, and of the rules made for its groups.
    private static func size(_ alternatives: [[GrammarNode]]) -> Int {
        var sum = 0
        for sequence in alternatives {
            sum = adding(sum, 1)
            for node in sequence { sum = adding(sum, size(node)) }
        }
        return sum
    }

    private static func size(_ node: GrammarNode) -> Int {
        switch node {
        case .characters(let elements): elements
        case .token, .reference: 1
        // A group becomes a rule of its own and a reference to it. Counted in full also where it
        // is repeated, which overstates.
        case .group(let alternatives): adding(1, size(alternatives))
        case .repetition(let inner, let least, let most):
            multiplying(adding(size(inner), 3), max(least + 1, most ?? 0))
        }
    }

    // MARK: Left recursion

    /// Which rules derive the empty string: the least fixed point.
    private static func nullableRules(_ rules: [[[GrammarNode]]]) -> [Bool] {
        var nullable = Array(repeating: false, count: rules.count)
        var changed = true
        while changed {
            changed = false
            // Backwards, since rules mostly use what is defined after them.
            for index in rules.indices.reversed() where !nullable[index] {
                if isNullable(rules[index], nullable) {
                    nullable[index] = true
                    changed = true
                }
            }
        }
        return nullable
    }

    private static func isNullable(_ alternatives: [[GrammarNode]], _ nullable: [Bool]) -> Bool {
        alternatives.contains { $0.allSatisfy { isNullable($0, nullable) } }
    }

    private static func isNullable(_ node: GrammarNode, _ nullable: [Bool]) -> Bool {
        switch node {
        case .characters(let elements): elements == 0
        case .token: false
        case .reference(let rule): nullable[rule]
        case .group(let alternatives): isNullable(alternatives, nullable)
        case .repetition(let inner, let least, _): least == 0 || isNullable(inner, nullable)
        }
    }

    /// Rules that can stand leftmost in a derivation, with how often at most.
    private static func leftmost(
        _ alternatives: [[GrammarNode]], _ nullable: [Bool], weight: Int
    ) -> [Int: Int] {
        var found: [Int: Int] = [:]
        for sequence in alternatives {
            for node in sequence {
                collectLeftmost(node, nullable, weight, &found)
                if !isNullable(node, nullable) { break }
            }
        }
        return found
    }

    private static func collectLeftmost(
        _ node: GrammarNode, _ nullable: [Bool], _ weight: Int, _ found: inout [Int: Int]
    ) {
        switch node {
        case .characters, .token: return
        case .reference(let rule): found[rule] = adding(found[rule] ?? 0, weight)
        case .group(let alternatives):
            for (rule, count) in leftmost(alternatives, nullable, weight: weight) {
                found[rule] = adding(found[rule] ?? 0, count)
            }
        case .repetition(let inner, let least, let most):
            let copies = max(least + 1, most ?? 0)
            collectLeftmost(inner, nullable, multiplying(weight, copies), &found)
        }
    }

    /// Orders rules so that each comes after those that refer to it leftmost; a rest is recursive.
    private static func checkLeftmost(
        _ edges: [[Int: Int]], names: [String], limits: GrammarLimits
    ) throws(GrammarError) {
        var referrers = Array(repeating: 0, count: edges.count)
        for targets in edges {
            for target in targets.keys { referrers[target] += 1 }
        }
        var order = referrers.indices.filter { referrers[$0] == 0 }
        var next = 0
        while next < order.count {
            for target in edges[order[next]].keys {
                referrers[target] -= 1
                if referrers[target] == 0 { order.append(target) }
            }
            next += 1
        }
        guard order.count == edges.count else {
            let recursive = referrers.firstIndex { $0 > 0 } ?? 0
            throw .leftRecursion(rule: names[recursive])
        }
        var steps = Array(repeating: 1, count: edges.count)
        var depth = Array(repeating: 1, count: edges.count)
        var total = 0
        for rule in order.reversed() {
            for (target, count) in edges[rule] {
                steps[rule] = adding(steps[rule], multiplying(steps[target], count))
                depth[rule] = max(depth[rule], depth[target] + 1)
            }
            total = adding(total, steps[rule])
        }
        guard total <= limits.leftmostStepsMax else {
            throw .tooLarge(limit: "leftmost steps", allowed: limits.leftmostStepsMax)
        }
        guard depth.max() ?? 0 <= limits.leftmostDepthMax else {
            throw .tooLarge(limit: "leftmost depth", allowed: limits.leftmostDepthMax)
        }
    }
}
