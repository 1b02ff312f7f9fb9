package import InferenceTypes

extension Fleet {
    /// One worker as the router sees it.
    package struct Worker: Hashable, Sendable {
        package let id: WorkerID
        /// Sequences that run in its batch at once.
        package internal(set) var slots: Int
        /// How much of the work it takes, in proportion to the others; above 0.
        package internal(set) var weight = 1.0
        package internal(set) var isReady = false
        /// No new requests; running ones finish.
        package internal(set) var isDraining = false
        /// No new requests for now: its breaker is open, or it said that it is full.
        package internal(set) var isHeld = false
        package internal(set) var rates = WorkerRates()
        /// Of tickets handed to it and not yet released, without those whose readers are slow.
        package internal(set) var load = WorkerLoad.none
        /// Tickets whose readers are slow: the worker gives their slots to who can use them.
        package internal(set) var parked = 0
        /// What it reports to have besides: the work of other gateways.
        package internal(set) var otherLoad = WorkerLoad.none
        /// When it was last chosen, in choices since the start; breaks ties.
        var lastChoice: UInt64 = 0
        /// False for a free row of the table.
        var isPresent = true

        /// Tickets handed to it and not yet released.
        package var inFlight: Int { load.sequences + parked }
        /// What its tickets may be in its reports.
        package var ownLoad: WorkerLoad {
            var own = load
            own.sequences = inFlight
            return own
        }
        package var totalLoad: WorkerLoad { load + otherLoad }

        /// Others leave room, or this gateway has hardly anything there: however much others send,
        /// each has its few places in the worker's own queue, and none starves.
        func hasRoom(aheadLimitTickets: Int) -> Bool {
            let left = slots + aheadLimitTickets - otherLoad.sequences
            return isPresent && isReady && !isDraining && !isHeld
                && load.sequences < max(left, aheadLimitTickets)
        }

        /// The share of its slots in use, as seen through its weight. A quotient and not a product
        /// of both sides, since roundings of products would not give a total order.
        static func fullness(_ load: WorkerLoad, slots: Int, weight: Double) -> Double {
            Double(load.sequences) / (Double(slots) * weight)
        }

        /// The lower share of slots in use, then the one not chosen for longest, then the lower id.
        func isLighter(than other: Worker) -> Bool {
            let left = Self.fullness(totalLoad, slots: slots, weight: weight)
            let right = Self.fullness(other.totalLoad, slots: other.slots, weight: other.weight)
            if left != right { return left < right }
            if lastChoice != other.lastChoice { return lastChoice < other.lastChoice }
            return id < other.id
        }
    }
}
