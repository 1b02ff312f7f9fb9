import FuzzDriver
import GRPC

@main struct FuzzGRPC {
    static func main() {
        runFuzzer { start, count in
            fuzzGRPCFrames(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}
