import InferenceTypes
import Routing

/// How fast workers are, learned from the pool's own streams.
extension Dispatcher {
    func learn(from run: DispatchTicket.Run, _ summary: RunSummary, now: Instant) {
        rates.held(seconds: Self.seconds(from: run.placed, to: now), now: now)
        guard let first = run.first, summary.timedTokens >= RateBook.tokensMin,
            let load = fleet.worker(run.worker)?.totalLoad
        else { return }
        rates.decoded(
            run.worker,
            secondsPerToken: Self.seconds(from: first.time, to: now)
                / Double(summary.timedTokens - 1),
            load: .mean(first.load, load), now: now)
        ratesChanged(run.worker, now: now)
    }

    /// Also looks at one other worker in turn: what is known of those that get nothing fades.
    func ratesChanged(_ worker: WorkerID, now: Instant) {
        fleet.setRates(worker, rates.rates(of: worker, now: now))
        guard !workerOrder.isEmpty else { return }
        rateTurn = (rateTurn + 1) % workerOrder.count
        let other = workerOrder[rateTurn]
        fleet.setRates(other, rates.rates(of: other, now: now))
    }

    static func seconds(from start: Instant, to end: Instant) -> Double {
        Double(max(0, end.nanoseconds(since: start))) / 1e9
    }
}
