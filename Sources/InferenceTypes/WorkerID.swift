/// A worker's number within one gateway: assigned in order of registration, never used twice.
package struct WorkerID: Hashable, Comparable, Sendable {
    package var number: UInt32

    package init(number: UInt32) {
        self.number = number
    }

    package static func < (left: WorkerID, right: WorkerID) -> Bool {
        left.number < right.number
    }
}

extension WorkerID: Codable {
    package init(from decoder: any Decoder) throws {
        number = try decoder.singleValueContainer().decode(UInt32.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(number)
    }
}

/// One unit of admitted work: a single choice of a single request. Assigned by the gateway, unique
/// in its process.
package struct TicketID: Hashable, Comparable, Sendable {
    package var number: UInt64

    package init(number: UInt64) {
        self.number = number
    }

    package static func < (left: TicketID, right: TicketID) -> Bool {
        left.number < right.number
    }
}

extension TicketID: Codable {
    package init(from decoder: any Decoder) throws {
        number = try decoder.singleValueContainer().decode(UInt64.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(number)
    }
}
