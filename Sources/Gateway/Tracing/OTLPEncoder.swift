import InferenceAPI
import InferenceTypes
import NIOCore

/// `ExportTraceServiceRequest` in OTLP's JSON encoding (OTLP specification, "JSON Protobuf
/// Encoding"): protobuf's JSON mapping, but ids in hex, and enums as numbers.
struct OTLPEncoder {
    /// Flags of a span beside the W3C ones: whether it is known that the parent is another
    /// process's, and whether it is.
    private static let remoteKnown = 0x100
    private static let remote = 0x200

    let serviceName: String
    let instanceID: String

    func write(_ traces: [SpanQueue.Trace], into buffer: inout ByteBuffer) {
        buffer.writeStaticString(#"{"resourceSpans":[{"resource":{"attributes":"#)
        write(
            [
                ("service.name", .text(serviceName)),
                ("service.instance.id", .text(instanceID)),
            ], into: &buffer)
        buffer.writeStaticString(#"},"scopeSpans":[{"scope":{"name":"switchyard"},"spans":["#)
        var isFirst = true
        for trace in traces {
            for span in trace.spans {
                if !isFirst { buffer.writeStaticString(",") }
                isFirst = false
                write(span, of: trace, into: &buffer)
            }
        }
        buffer.writeStaticString("]}]}]}")
    }

    private func write(_ span: Span, of trace: SpanQueue.Trace, into buffer: inout ByteBuffer) {
        buffer.writeString(
            #"{"traceId":"\#(trace.context.traceID.text)","spanId":"\#(TraceContext.hex(span.id))""#
        )
        if let parent = span.parent {
            buffer.writeString(#","parentSpanId":"\#(TraceContext.hex(parent))""#)
        }
        if !trace.context.state.isEmpty {
            buffer.writeStaticString(#","traceState":"#)
            buffer.writeJSONString(trace.context.state)
        }
        let isRemote = span.kind == .server && trace.hasRemoteParent
        let flags =
            Int(trace.context.flags) | Self.remoteKnown | (isRemote ? Self.remote : 0)
        buffer.writeString(#","flags":\#(flags),"name":"#)
        buffer.writeJSONString(span.name)
        buffer.writeString(
            #","kind":\#(span.kind.rawValue),"startTimeUnixNano":"\#(span.start)""#
                + #","endTimeUnixNano":"\#(max(span.start, span.end))","attributes":"#)
        write(span.attributes, into: &buffer)
        if !span.events.isEmpty {
            buffer.writeStaticString(#","events":["#)
            for (index, event) in span.events.enumerated() {
                if index > 0 { buffer.writeStaticString(",") }
                buffer.writeString(#"{"timeUnixNano":"\#(event.time)","name":"#)
                buffer.writeJSONString(event.name)
                buffer.writeStaticString("}")
            }
            buffer.writeStaticString("]")
        }
        if let error = span.error {
            buffer.writeStaticString(#","status":{"code":2,"message":"#)
            buffer.writeJSONString(error)
            buffer.writeStaticString("}")
        }
        buffer.writeStaticString("}")
    }

    private func write(_ attributes: [(String, Span.Value)], into buffer: inout ByteBuffer) {
        buffer.writeStaticString("[")
        for (index, (name, value)) in attributes.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            buffer.writeStaticString(#"{"key":"#)
            buffer.writeJSONString(name)
            buffer.writeStaticString(#","value":"#)
            write(value, into: &buffer)
            buffer.writeStaticString("}")
        }
        buffer.writeStaticString("]")
    }

    private func write(_ value: Span.Value, into buffer: inout ByteBuffer) {
        switch value {
        case .text(let text):
            buffer.writeStaticString(#"{"stringValue":"#)
            buffer.writeJSONString(text)
        case .integer(let number): buffer.writeString(#"{"intValue":"\#(number)""#)
        case .number(let number):
            buffer.writeString(#"{"doubleValue":\#(number.isFinite ? number : 0)"#)
        case .flag(let isOn): buffer.writeString(#"{"boolValue":\#(isOn)"#)
        case .texts(let texts):
            buffer.writeStaticString(#"{"arrayValue":{"values":["#)
            for (index, text) in texts.enumerated() {
                buffer.writeStaticString(index > 0 ? #",{"stringValue":"# : #"{"stringValue":"#)
                buffer.writeJSONString(text)
                buffer.writeStaticString("}")
            }
            buffer.writeStaticString("]}")
        }
        buffer.writeStaticString("}")
    }
}
