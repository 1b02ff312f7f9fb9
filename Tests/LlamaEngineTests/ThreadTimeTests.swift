import Dispatch
import Testing

@testable import LlamaEngine

@Suite struct ThreadTimeTests {
    @Test func anotherThreadsWorkDoesNotCount() {
        let work: Int64 = 100_000_000
        let start = ThreadTime.now()
        let done = DispatchSemaphore(value: 0)
        DispatchQueue(label: "busy").async {
            let start = ThreadTime.now()
            // Ends because the clock runs.
            while ThreadTime.now() - start < work {}
            done.signal()
        }
        done.wait()
        #expect(ThreadTime.now() - start < work / 2)
    }
}
