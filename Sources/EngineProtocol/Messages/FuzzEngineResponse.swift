import EngineProto
import InferenceTypes
import NIOCore
import SwiftProtobuf

/// Fuzz entry: the hand-written reader of a token's chunk must never trap, and where SwiftProtobuf
/// accepts the same bytes both must see the same tokens.
package func fuzzEngineResponse(_ bytes: [UInt8]) {
    guard
        let outcome = try? EngineChunkDecoder.decode(ByteBuffer(bytes: bytes)),
        case .chunk(let chunk) = outcome,
        let reference = try? Vllm_Grpc_Engine_GenerateResponse(serializedBytes: bytes)
    else { return }
    let expected = reference.chunk.tokenIds.map { TokenID(bitPattern: $0) }
    precondition(chunk.tokens == expected, "the two readers disagree about the tokens")
    precondition(chunk.index == Int(reference.chunk.index), "the two readers disagree")
    // What was read can be written and read again.
    var framed = EngineChunkEncoder.encode(chunk)
    framed.moveReaderIndex(forwardBy: 5)
    guard case .chunk(let again)? = try? EngineChunkDecoder.decode(framed) else {
        preconditionFailure("our own chunk is unreadable")
    }
    precondition(again.tokens == chunk.tokens, "a chunk changed on its way")
}
