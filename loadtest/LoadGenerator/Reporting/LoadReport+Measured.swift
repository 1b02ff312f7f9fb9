/// From what was measured to the report's parts.
extension LoadReport {
    /// Enough to resample from, few enough for files to stay small.
    package static let blocksMax = 60

    mutating func describe(
        _ measured: Measurements, _ total: ClassMeasurements, _ window: MeasuredWindow
    ) {
        sent = total.sent
        notSent = total.notSent
        cancelled = total.cancelled
        promptTokensPerSecond = Double(total.promptTokens) / seconds
        cachedTokensPerSecond = Double(total.cachedTokens) / seconds
        queueDelay = total.queueDelay?.summary
        shed = Shed(requests: total.shed, kinds: measured.shedKinds)
        if !measured.objective.isEmpty {
            goodput = Goodput(
                objective: measured.objective, met: total.good, judged: total.judged,
                fraction: total.goodFraction,
                requestsPerSecond: Double(total.good) / seconds)
        }
        describeGroups(measured)
        let points = measured.timeline.points
        timeline = points.map(TimelinePoint.init)
        blocks = Self.blocks(points)
        cdfs = CumulativeDistributions(
            timeToFirstToken: .init(total.timeToFirstToken?.sparse ?? .init()),
            interTokenLatency: .init(total.interTokenLatency?.sparse ?? .init()),
            timePerOutputToken: .init(total.timePerOutputToken?.sparse ?? .init()),
            endToEnd: .init(total.endToEnd?.sparse ?? .init()))
        let threads = window.threads.prefix(8).map {
            Saturation.Thread(
                name: $0.name, cpuSeconds: $0.cpuSeconds, share: $0.cpuSeconds / seconds)
        }
        saturation = Saturation(
            threads: threads, sendDelay: measured.sendDelay.summary, isSaturated: false)
    }

    private mutating func describeGroups(_ measured: Measurements) {
        let seconds = self.seconds
        let objective = measured.objective
        classes = zip(measured.classes, measured.byClass).map {
            Group(name: $0.name, $1, objective, seconds: seconds)
        }
        let tenantNames = Self.names(measured.classes.map(\.tenant))
        let tierNames = Self.names(measured.classes.map(\.tier))
        let byTenant = tenantNames.map { name in
            measured.combined { ($0.tenant ?? Self.unnamed) == name }
        }
        tenants = zip(tenantNames, byTenant).map {
            Group(name: $0, $1, objective, seconds: seconds)
        }
        tiers = tierNames.map { name in
            Group(
                name: name, measured.combined { ($0.tier ?? Self.unnamed) == name }, objective,
                seconds: seconds)
        }
        guard byTenant.count > 1 else { return }
        var byTier: [String: Double] = [:]
        for tier in tierNames {
            let used = Self.names(
                measured.classes.filter { ($0.tier ?? Self.unnamed) == tier }.map(\.tenant))
            guard used.count > 1 else { continue }
            byTier[tier] = Self.jain(
                used.map { name in
                    let both = measured.combined {
                        ($0.tenant ?? Self.unnamed) == name && ($0.tier ?? Self.unnamed) == tier
                    }
                    return Double(both.outputTokens)
                })
        }
        fairness = Fairness(
            tenants: byTenant.count,
            outputTokens: Self.jain(byTenant.map { Double($0.outputTokens) }),
            succeeded: Self.jain(
                byTenant.filter { $0.succeeded + $0.failed > 0 }.map {
                    Double($0.succeeded) / Double($0.succeeded + $0.failed)
                }),
            outputTokensByTier: byTier)
    }

    /// Classes without a tenant or a tier, in a run where others have one.
    private static let unnamed = "none"

    /// Ascending; empty where nothing has a name.
    private static func names(_ names: [String?]) -> [String] {
        if names.allSatisfy({ $0 == nil }) { return [] }
        return Set(names.map { $0 ?? unnamed }).sorted()
    }

    /// Jain's fairness index: (sum x)² / (n · sum x²); 1 when nobody has anything.
    package static func jain(_ shares: [Double]) -> Double {
        let sum = shares.reduce(0, +)
        let squares = shares.reduce(0) { $0 + $1 * $1 }
        return squares > 0 ? sum * sum / (Double(shares.count) * squares) : 1
    }

    /// At most `blocksMax` blocks of equal length; what is left at the end joins the last.
    static func blocks(_ points: [Timeline.Point]) -> [Block] {
        let size = max(1, (points.count + blocksMax - 1) / blocksMax)
        var joined = stride(from: 0, to: points.count, by: size).map { begin in
            let group = points[begin..<min(begin + size, points.count)]
            return group.dropFirst().reduce(group[begin]) { $0.followed(by: $1) }
        }
        if joined.count > 1, let last = joined.last, last.width * 2 < joined[0].width {
            joined.removeLast()
            joined.append(joined.removeLast().followed(by: last))
        }
        return joined.map(Block.init)
    }
}

extension LoadReport.TimelinePoint {
    init(_ point: Timeline.Point) {
        start = Double(point.start) / 1e9
        seconds = Double(point.width) / 1e9
        sent = point.sent
        succeeded = point.succeeded
        good = point.good
        failed = point.failed
        shed = point.shed
        tokens = point.tokens
        deltas = point.deltas
        inFlight = point.inFlight
        timeToFirstTokenP50 = point.timeToFirstToken.quantile(0.5)
        timeToFirstTokenP99 = point.timeToFirstToken.quantile(0.99)
        interTokenLatencyP50 = point.interTokenLatency.quantile(0.5)
        interTokenLatencyP99 = point.interTokenLatency.quantile(0.99)
        cpuSeconds = point.cpuSeconds.isEmpty ? nil : point.cpuSeconds
    }
}

extension LoadReport.Block {
    init(_ point: Timeline.Point) {
        seconds = Double(point.width) / 1e9
        succeeded = point.succeeded
        good = point.good
        tokens = point.tokens
        cpuSeconds = point.cpuSeconds.isEmpty ? nil : point.cpuSeconds
        timeToFirstToken = point.timeToFirstToken
        interTokenLatency = point.interTokenLatency
        timePerOutputToken = point.timePerOutputToken
        endToEnd = point.endToEnd
    }
}
