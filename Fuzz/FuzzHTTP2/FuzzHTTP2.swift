import FuzzDriver
import HTTPTransport

@main struct FuzzHTTP2 {
    static func main() {
        runFuzzer { start, count in
            let bytes = Array(UnsafeBufferPointer(start: start, count: count))
            fuzzHTTP2Server(bytes)
            fuzzHTTP2Client(bytes)
            return 0
        }
    }
}
