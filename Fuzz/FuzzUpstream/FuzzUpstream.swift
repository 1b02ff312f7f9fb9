import FuzzDriver
import InferenceAPI

@main struct FuzzUpstream {
    static func main() {
        runFuzzer { start, count in
            fuzzUpstream(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}
