import NIOCore

/// The messages of `grpc.health.v1` (`protocols/grpc/health.proto`), by hand: a string and an enum.
enum GRPCHealthMessages {
    /// `HealthCheckRequest.service`.
    static func service(in request: ByteBuffer) throws(MalformedProtobuf) -> String {
        let bytes = request.readableBytesUInt8Span
        var offset = 0
        var service = ""
        while offset < bytes.count {
            let tag = try ProtobufReader.tag(bytes, &offset)
            if tag.field == 1, tag.wireType == 2 {
                service = try ProtobufReader.string(bytes, &offset)
            } else {
                try ProtobufReader.skip(
                    bytes, &offset, field: tag.field, wireType: tag.wireType)
            }
        }
        return service
    }

    static func request(service: String) -> ByteBuffer {
        var buffer = ByteBuffer()
        if !service.isEmpty { buffer.writeProtobufString(field: 1, service) }
        return buffer
    }

    /// `HealthCheckResponse`.
    static func response(_ status: GRPCServingStatus) -> ByteBuffer {
        var buffer = ByteBuffer()
        if status != .unknown {
            buffer.writeInteger(UInt8(0x08))
            buffer.writeInteger(status.rawValue)
        }
        return buffer
    }

    static func status(in response: ByteBuffer) throws(MalformedProtobuf) -> GRPCServingStatus {
        let bytes = response.readableBytesUInt8Span
        var offset = 0
        var status = GRPCServingStatus.unknown
        while offset < bytes.count {
            let tag = try ProtobufReader.tag(bytes, &offset)
            if tag.field == 1, tag.wireType == 0 {
                let value = try ProtobufReader.varint(bytes, &offset)
                status = UInt8(exactly: value).flatMap(GRPCServingStatus.init) ?? .unknown
            } else {
                try ProtobufReader.skip(
                    bytes, &offset, field: tag.field, wireType: tag.wireType)
            }
        }
        return status
    }

    /// `HealthListResponse`: a map entry per service.
    static func list(_ statuses: [(service: String, status: GRPCServingStatus)]) -> ByteBuffer {
        var buffer = ByteBuffer()
        for (service, status) in statuses {
            var entry = ByteBuffer()
            entry.writeProtobufString(field: 1, service)
            var value = response(status)
            entry.writeInteger(UInt8(0x12))
            entry.writeProtobufVarint(UInt64(value.readableBytes))
            entry.writeBuffer(&value)
            buffer.writeInteger(UInt8(0x0A))
            buffer.writeProtobufVarint(UInt64(entry.readableBytes))
            buffer.writeBuffer(&entry)
        }
        return buffer
    }
}
