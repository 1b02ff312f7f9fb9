import Admission

/// Requests that hold something of their callers' limits, until the last of their tickets has
/// ended. Owned by the dispatcher.
struct LimitedRequests {
    struct Request {
        var reservation: LimitBook.Reservation
        var openTickets: Int
        var promptTokens: Int
        var generatedTokens = 0
        /// A ticket got a worker, or its client went away.
        var wasServed = false
    }

    private var requests: [UInt64: Request] = [:]
    private var last: UInt64 = 0

    var isEmpty: Bool { requests.isEmpty }

    mutating func add(_ request: Request) -> UInt64 {
        last += 1
        requests[last] = request
        return last
    }

    /// Another of its tickets has ended; the request when that was the last one.
    mutating func ticketEnded(_ number: UInt64, tokens: Int, isRefused: Bool) -> Request? {
        guard var request = requests[number] else { return nil }
        request.openTickets -= 1
        request.generatedTokens += tokens
        if !isRefused { request.wasServed = true }
        requests[number] = request.openTickets > 0 ? request : nil
        return request.openTickets > 0 ? nil : request
    }
}
