import EngineProtocol
import InferenceTypes

/// Writes a chunk in any of the ways that protobuf allows: unknown fields between known ones,
/// repeated numbers packed, unpacked or in several runs, varints longer than need be.
enum LooseEncoder {
    static func response(
        _ chunk: EngineTokens, _ random: inout SeededGenerator
    ) -> [UInt8] {
        unknown(&random) + delimited(1, self.chunk(chunk, &random), &random) + unknown(&random)
    }

    private static func chunk(
        _ chunk: EngineTokens, _ random: inout SeededGenerator
    ) -> [UInt8] {
        var fields: [[UInt8]] = [
            scalar(2, chunk.promptTokens, &random), scalar(3, chunk.completionTokens, &random),
            scalar(4, chunk.cachedTokens, &random), scalar(7, chunk.index, &random),
            unknown(&random), unknown(&random),
        ]
        if let logprobs = chunk.logprobs {
            fields.append(delimited(5, output(logprobs, &random), &random))
        }
        fields.shuffle(using: &random)
        // Tokens keep their order among themselves.
        let tokens = varints(1, chunk.tokens, &random)
        for (index, run) in tokens.enumerated() {
            fields.insert(run, at: min(fields.count, index * 2))
        }
        return fields.flatMap { $0 }
    }

    private static func output(
        _ logprobs: [TokenLogprob], _ random: inout SeededGenerator
    ) -> [UInt8] {
        var bytes = floats(1, logprobs.map(\.logprob), &random)
        bytes += unknown(&random)
        bytes += varints(2, logprobs.map(\.token), &random).flatMap { $0 }
        for entry in logprobs {
            let top =
                varints(2, entry.top.map(\.token), &random).flatMap { $0 } + unknown(&random)
                + floats(1, entry.top.map(\.logprob), &random)
            bytes += delimited(3, top, &random)
        }
        return bytes
    }

    /// Runs of one field: each packed or unpacked.
    private static func varints(
        _ field: UInt8, _ values: [TokenID], _ random: inout SeededGenerator
    ) -> [[UInt8]] {
        var runs: [[UInt8]] = []
        var rest = values[...]
        while !rest.isEmpty {
            let run = rest.prefix(Int.random(in: 1...rest.count, using: &random))
            rest = rest.dropFirst(run.count)
            if Bool.random(using: &random) {
                let payload = run.flatMap { varint(UInt64($0), &random) }
                runs.append(delimited(field, payload, &random))
            } else {
                runs.append(run.flatMap { [field << 3] + varint(UInt64($0), &random) })
            }
        }
        return runs
    }

    private static func floats(
        _ field: UInt8, _ values: [Float], _ random: inout SeededGenerator
    ) -> [UInt8] {
        let bits = values.map { value in
            (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt32($0))) }
        }
        if Bool.random(using: &random) {
            return delimited(field, bits.flatMap { $0 }, &random)
        }
        return bits.flatMap { [field << 3 | 5] + $0 }
    }

    private static func scalar(
        _ field: UInt8, _ value: Int, _ random: inout SeededGenerator
    ) -> [UInt8] {
        // Zero may be present or left out.
        if value == 0, Bool.random(using: &random) { return [] }
        return [field << 3] + varint(UInt64(value), &random)
    }

    private static func delimited(
        _ field: UInt8, _ payload: [UInt8], _ random: inout SeededGenerator
    ) -> [UInt8] {
        [field << 3 | 2] + varint(UInt64(payload.count), &random) + payload
    }

    private static func varint(_ value: UInt64, _ random: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
        if bytes.count < 10, Int.random(in: 0...15, using: &random) == 0 {
            bytes[bytes.count - 1] |= 0x80
            bytes.append(0)
        }
        return bytes
    }

    /// A field with a number that no message here has, of any wire type.
    private static func unknown(_ random: inout SeededGenerator) -> [UInt8] {
        let tag = { (type: UInt64, random: inout SeededGenerator) in
            varint(UInt64(30) << 3 | type, &random)
        }
        switch Int.random(in: 0...9, using: &random) {
        case 0: return tag(0, &random) + varint(.random(in: 0...(.max), using: &random), &random)
        case 1: return tag(1, &random) + Array(repeating: 9, count: 8)
        case 2: return tag(2, &random) + varint(3, &random) + [1, 2, 3]
        case 3:
            return tag(3, &random) + [0x08, 0x01] + [0x12, 0x01, 0xFF] + tag(4, &random)
        case 4: return tag(5, &random) + [1, 2, 3, 4]
        default: return []
        }
    }
}
