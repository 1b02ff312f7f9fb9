package import InferenceTypes

extension Fleet {
    /// One worker as the router sees it.
    package struct Worker: Hashable, Sendable {
        package let id: WorkerID
        /// Sequences that run in its batch at once.
        package internal(set) var slots: Int
        package internal(set) var isReady = false
        /// No new requests; running ones finish.
        package internal(set) var isDraining = false
        package internal(set) var rates = WorkerRates()
        /// Of tickets handed to it and not yet released.
        package internal(set) var load = WorkerLoad.none
        /// What it reports to have besides: the work of other gateways.
        package internal(set) var otherLoad = WorkerLoad.none
        /// When it was last chosen, in choices since the start; breaks ties.
        var lastChoice: UInt64 = 0
        /// False for a free row of the table.
        var isPresent = true

        /// Tickets handed to it and not yet released.
        package var inFlight: Int { load.sequences }
        package var totalLoad: WorkerLoad { load + otherLoad }

        func hasRoom(aheadLimitTickets: Int) -> Bool {
            isPresent && isReady && !isDraining
                && load.sequences + otherLoad.sequences < slots + aheadLimitTickets
        }

        /// The lower share of slots in use, then the one not chosen for longest, then the lower id.
        func isLighter(than other: Worker) -> Bool {
            // a/b < c/d without division: both slot counts are positive.
            let left = (load.sequences + otherLoad.sequences) * other.slots
            let right = (other.load.sequences + other.otherLoad.sequences) * slots
            if left != right { return left < right }
            if lastChoice != other.lastChoice { return lastChoice < other.lastChoice }
            return id < other.id
        }
    }
}
