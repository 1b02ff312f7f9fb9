import EngineProtocol
import FuzzDriver

@main struct FuzzEngine {
    static func main() {
        runFuzzer { start, count in
            fuzzEngineResponse(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}
