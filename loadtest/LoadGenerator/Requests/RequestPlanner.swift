import InferenceTypes

/// What the requests of a run are: a pure function of the run's settings and an arrival's number,
/// so that two servers get the same work, whatever their answers do to the order of events.
struct RequestPlanner {
    /// One arrival: a request, or a conversation of several.
    struct Plan: Equatable {
        /// From 0, in order of arrival.
        var number: Int
        /// Into the run's classes.
        var traffic: Int
        var turns: Int
        /// Which of the class's system prompts; nil: none.
        var prefix: Int?
        fileprivate var seed: UInt64
    }

    /// One request of an arrival.
    struct Turn: Equatable {
        var maxTokens: Int
        /// From the answer before; 0 for the first.
        var thinkNanoseconds: UInt64
        var cancel: TrafficClass.Cancels.Moment?
        var pace: TrafficClass.SlowReaders.Pace?
        fileprivate var promptTokens: Int
        fileprivate var seed: UInt64
    }

    private let classes: [TrafficClass]
    private let seed: UInt64
    private let replay: TraceReplay?
    private let encoding: RequestEncoding
    /// Sums of weights.
    private var bounds: [Double] = []
    private var classOfName: [String: Int] = [:]
    /// By class.
    private var lists: [[[UInt8]]]
    private var prefixes: [[[UInt8]]]

    /// `classes`: at least one, of positive weights.
    init(
        _ classes: [TrafficClass], seed: UInt64, replay: TraceReplay? = nil,
        encoding: RequestEncoding
    ) {
        precondition(!classes.isEmpty, "a mix has a class")
        self.classes = classes
        // Arrivals draw from the run's seed itself.
        self.seed = SeededGenerator.mix(seed &+ 0x706C_616E)
        self.replay = replay
        self.encoding = encoding
        var sum = 0.0
        for (index, each) in classes.enumerated() {
            precondition(each.weight > 0, "a class has a weight")
            sum += each.weight
            bounds.append(sum)
            if let name = each.name { classOfName[name] = index }
        }
        lists = classes.map { each in
            guard case .list(let texts) = each.prompt else { return [] }
            return texts.map(encoding.text)
        }
        prefixes = classes.enumerated().map { index, each in
            guard let shared = each.sharedPrefix else { return [] }
            let ofClass = SeededGenerator.value(seed: ~seed, counter: UInt64(index) + 1)
            return (0..<shared.pool).map { number in
                PromptWords.text(
                    shared.tokens,
                    seed: SeededGenerator.value(seed: ofClass, counter: UInt64(number) + 1))
            }
        }
    }

    func plan(_ number: Int) -> Plan {
        var generator = SeededGenerator(
            seed: SeededGenerator.value(seed: seed, counter: UInt64(number) + 1))
        let drawn = generator.unit() * (bounds.last ?? 1)
        let byWeight = bounds.firstIndex { drawn < $0 } ?? classes.count - 1
        let traffic = record(number)?.className.flatMap { classOfName[$0] } ?? byWeight
        let settings = classes[traffic]
        var plan = Plan(number: number, traffic: traffic, turns: 1, seed: generator.next())
        if let conversation = settings.conversation {
            plan.turns = conversation.turns.count(&generator)
        }
        if let shared = settings.sharedPrefix { plan.prefix = generator.index(below: shared.pool) }
        return plan
    }

    /// Turn `index` of an arrival, from 0.
    func turn(_ index: Int, of plan: Plan) -> Turn {
        var generator = SeededGenerator(
            seed: SeededGenerator.value(seed: plan.seed, counter: UInt64(index) + 1))
        let settings = classes[plan.traffic]
        var turn = Turn(
            maxTokens: 0, thinkNanoseconds: 0, promptTokens: 0, seed: generator.next())
        if case .words(let lengths) = settings.prompt {
            turn.promptTokens = lengths.count(&generator)
        }
        turn.maxTokens = settings.output.count(&generator)
        if index > 0, let conversation = settings.conversation {
            let seconds = conversation.thinkSeconds.value(&generator)
            turn.thinkNanoseconds = UInt64(min(max(0, seconds), 1e6) * 1e9)
        }
        if let cancels = settings.cancels, generator.chance(cancels.fraction) {
            turn.cancel = cancels.moment
        }
        if let slow = settings.slowReaders, generator.chance(slow.fraction) {
            turn.pace = slow.pace
        }
        if index == 0, let replay, let record = record(plan.number) {
            turn.promptTokens = max(1, Int(Double(record.input) * replay.promptScale + 0.5))
            turn.maxTokens = max(1, Int(Double(record.output) * replay.outputScale + 0.5))
        }
        return turn
    }

    /// What the turn adds to what was said before: a system prompt where there is one, and the
    /// user's words.
    func messages(_ index: Int, of plan: Plan, _ turn: Turn) -> [ChatMessage] {
        var messages: [ChatMessage] = []
        if index == 0, let prefix = plan.prefix {
            messages.append(ChatMessage(role: .system, text: prefixes[plan.traffic][prefix]))
        }
        messages.append(ChatMessage(role: .user, text: text(index, plan, turn)))
        return messages
    }

    private func text(_ index: Int, _ plan: Plan, _ turn: Turn) -> [UInt8] {
        if index == 0, let replay, let record = record(plan.number), !record.blocks.isEmpty {
            return Self.text(record, replay, tokens: turn.promptTokens, tailSeed: turn.seed)
        }
        let list = lists[plan.traffic]
        guard list.isEmpty else { return list[(plan.number + index) % list.count] }
        return PromptWords.text(turn.promptTokens, seed: turn.seed)
    }

    private func record(_ number: Int) -> Trace.Record? {
        guard let replay, number < replay.trace.records.count else { return nil }
        return replay.trace.records[number]
    }

    /// Each block's words follow from its name alone, so that what was a common beginning in the
    /// trace is one again. Blocks do not depend on a run's seed.
    private static func text(
        _ record: Trace.Record, _ replay: TraceReplay, tokens: Int, tailSeed: UInt64
    ) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(tokens * 7)
        let blockTokens = Double(replay.trace.blockTokens) * replay.promptScale
        var written = 0
        for (index, name) in record.blocks.enumerated() where written < tokens {
            let end = min(tokens, Int(Double(index + 1) * blockTokens + 0.5))
            PromptWords.append(
                end - written, seed: SeededGenerator.mix(name &+ 0x5377_6974), to: &text)
            written = max(written, end)
        }
        PromptWords.append(tokens - written, seed: tailSeed, to: &text)
        return text
    }
}
