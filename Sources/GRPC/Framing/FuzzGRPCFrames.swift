import NIOCore

/// Fuzz entry: any bytes, cut by the input itself, must yield the same messages or the same refusal
/// as the whole input in one piece. The first byte seeds where the cuts fall.
package func fuzzGRPCFrames(_ bytes: [UInt8]) {
    guard let seed = bytes.first else { return }
    let input = Array(bytes.dropFirst())
    let whole = decodeAll(input, pieces: [input.count])

    var pieces: [Int] = []
    var left = input.count
    var state = UInt64(seed) &+ 1
    while left > 0 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let piece = min(left, Int(state >> 60) + 1)
        pieces.append(piece)
        left -= piece
    }
    let split = decodeAll(input, pieces: pieces)
    precondition(whole.frames == split.frames, "splitting the input changed its messages")
    precondition(whole.failure == split.failure, "splitting the input changed the refusal")
}

private let fuzzMaxMessageBytes = 4096

private func decodeAll(
    _ input: [UInt8], pieces: [Int]
) -> (frames: [GRPCFrame], failure: GRPCStatus?) {
    var decoder = GRPCFrameDecoder(maxMessageBytes: fuzzMaxMessageBytes)
    var frames: [GRPCFrame] = []
    var start = 0
    do {
        for piece in pieces {
            decoder.append(ByteBuffer(bytes: input[start..<start + piece]))
            start += piece
            while let frame = try decoder.next() {
                precondition(frame.payload.readableBytes <= fuzzMaxMessageBytes)
                frames.append(frame)
            }
        }
        try decoder.finish()
        return (frames, nil)
    } catch {
        return (frames, error)
    }
}
