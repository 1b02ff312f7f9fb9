/// One span of a trace, ended. Times are nanoseconds since 1970.
struct Span: Sendable {
    /// As in OTLP's `Span.SpanKind`.
    enum Kind: Int, Sendable {
        case within = 1
        case server = 2
        case client = 3
    }

    enum Value: Sendable, Equatable {
        case text(String)
        case integer(Int)
        case number(Double)
        case flag(Bool)
        case texts([String])
    }

    struct Event: Sendable {
        var name: String
        var time: Int64
    }

    var name: String
    var kind: Kind
    var id: UInt64
    /// Nil for the first of its trace.
    var parent: UInt64?
    var start: Int64
    var end: Int64 = 0
    var attributes: [(String, Value)] = []
    var events: [Event] = []
    /// What failed; nil when nothing did.
    var error: String?

    init(_ name: String, _ kind: Kind, id: UInt64, parent: UInt64?, start: Int64) {
        self.name = name
        self.kind = kind
        self.id = id
        self.parent = parent
        self.start = start
    }

    mutating func set(_ name: String, _ value: Value?) {
        guard let value else { return }
        attributes.append((name, value))
    }
}
