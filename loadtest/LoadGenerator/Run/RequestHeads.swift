import GRPC
import HTTPTransport
import NIOCore

/// What all requests of a class have in common, prepared once.
struct RequestHeads {
    let encoding: RequestEncoding
    /// By class, then target.
    private let heads: [[HTTPRequestHead]]
    private let metadata: [GRPCMetadata]
    private let json: [ChatRequestBody]
    private let xai: [XAIRequestBody]

    init(_ configuration: LoadConfiguration) {
        encoding = configuration.version == .grpc ? .xai : .json
        heads = configuration.classes.map { traffic in
            configuration.targets.map { Self.head(configuration, traffic, $0) }
        }
        metadata = configuration.classes.map { traffic in
            var metadata = GRPCMetadata()
            for field in configuration.fields + traffic.fields {
                metadata.append(field.name, field.value)
            }
            return metadata
        }
        json = configuration.classes.map(ChatRequestBody.init)
        xai = configuration.classes.map(XAIRequestBody.init)
    }

    private static func head(
        _ configuration: LoadConfiguration, _ traffic: TrafficClass, _ target: LoadTarget
    ) -> HTTPRequestHead {
        var fields = HTTPFields()
        var method = "GET"
        if case .chat = configuration.work {
            method = "POST"
            fields.append("content-type", "application/json")
            fields.append("accept", "text/event-stream")
        }
        for field in configuration.fields + traffic.fields {
            fields.append(field.name, field.value)
        }
        return HTTPRequestHead(
            method: method, scheme: target.scheme, authority: target.authority,
            path: target.prefix + configuration.path, fields: fields)
    }

    func head(_ traffic: Int, _ target: Int) -> HTTPRequestHead { heads[traffic][target] }
    func metadata(_ traffic: Int) -> GRPCMetadata { metadata[traffic] }

    func body(_ traffic: Int, _ messages: [ChatMessage], maxTokens: Int) -> ByteBuffer {
        switch encoding {
        case .json: json[traffic].encoded(messages, maxTokens: maxTokens)
        case .xai: xai[traffic].encoded(messages, maxTokens: maxTokens)
        }
    }
}

/// Which class of the measurements a request belongs to: slow readers have one beside the others
/// of their mix, since their latencies are their own.
struct MeasuredClasses {
    private(set) var list: [RequestClass] = []
    private var normal: [Int] = []
    private var slow: [Int] = []

    init(_ classes: [TrafficClass]) {
        for traffic in classes {
            let fraction = traffic.slowReaders?.fraction ?? 0
            normal.append(list.count)
            if fraction < 1 { list.append(traffic.requestClass(slow: false)) }
            slow.append(list.count)
            if fraction > 0 { list.append(traffic.requestClass(slow: true)) }
        }
    }

    func index(_ traffic: Int, slow isSlow: Bool) -> Int {
        isSlow ? slow[traffic] : normal[traffic]
    }
}
