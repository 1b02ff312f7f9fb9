import ArgumentParser
import LoadGenerator

/// How many requests, and when.
struct LoadOptions: ParsableArguments {
    @Option(help: "Requests at once (closed loop).")
    var concurrency = 1

    @Option(help: "Requests per second (open loop).")
    var rate: Double?

    @Option(help: "Gaps of the open loop: poisson or constant.")
    var arrivals = ArrivalSchedule.Shape.poisson

    @Option(help: "Requests to measure. Default: 10 for each of --concurrency.")
    var requests: Int?

    @Option(help: "Seconds to measure, in place of --requests.")
    var duration: Double?

    @Option(help: "Requests before the measurement.")
    var warmup = 0

    @Option(help: "Chooses prompts and arrivals.")
    var seed: UInt64 = 1

    @Option(help: "A request that takes longer fails.")
    var timeoutSeconds = 300.0

    var shape: LoadConfiguration.Load {
        if let rate {
            .open(ArrivalSchedule(shape: arrivals, rate: rate, seed: seed))
        } else {
            .closed(concurrency: concurrency)
        }
    }

    var extent: LoadConfiguration.Extent {
        if let duration { .seconds(duration) } else { .requests(requests ?? concurrency * 10) }
    }

    func validate() throws {
        guard (1...20_000).contains(concurrency) else {
            throw ValidationError("--concurrency must be 1...20000: \(concurrency)")
        }
        if let rate, !(rate > 0 && rate <= 1e6) {
            throw ValidationError("--rate must be above 0 and at most 1000000: \(rate)")
        }
        if let duration, !(duration > 0 && duration <= 86_400) {
            throw ValidationError("--duration must be above 0 and at most 86400: \(duration)")
        }
        if let requests, requests < 1 {
            throw ValidationError("--requests must be positive: \(requests)")
        }
        guard !(requests != nil && duration != nil) else {
            throw ValidationError("--requests and --duration exclude each other")
        }
        guard warmup >= 0, timeoutSeconds > 0 else {
            throw ValidationError("--warmup and --timeout-seconds must not be negative")
        }
    }
}

extension ArrivalSchedule.Shape: ExpressibleByArgument {}
