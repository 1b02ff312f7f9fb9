import FuzzDriver
import HTTPTransport

@main struct FuzzHTTP1 {
    static func main() {
        runFuzzer { start, count in
            fuzzHTTP1(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}
