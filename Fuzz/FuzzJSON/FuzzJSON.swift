import FuzzDriver
import InferenceAPI

@main struct FuzzJSON {
    static func main() {
        runFuzzer { start, count in
            fuzzJSON(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}
