import HTTPTransport

/// What servers tell of the time they took (W3C Server Timing).
enum ServerTiming {
    /// The metric `queue` of `server-timing: queue;dur=12.5`, in ms there; nil without one.
    static func queueNanoseconds(_ fields: HTTPFields) -> UInt64? {
        guard let value = fields["server-timing"] else { return nil }
        for metric in value.split(separator: ",") {
            let parts = metric.split(separator: ";").map { part in
                part.drop { $0 == " " }
            }
            guard parts.first == "queue" else { continue }
            for part in parts.dropFirst() where part.hasPrefix("dur=") {
                guard let milliseconds = Double(part.dropFirst(4)), milliseconds >= 0,
                    milliseconds < 1e9
                else { return nil }
                return UInt64(milliseconds * 1e6)
            }
        }
        return nil
    }
}
