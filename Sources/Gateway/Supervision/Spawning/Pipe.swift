import CSpawn
import Glibc

extension ChildProcess {
    /// Its ends close by themselves, in programs that are executed too.
    struct Pipe {
        final class End: Sendable {
            let descriptor: Int32

            init(_ descriptor: Int32) { self.descriptor = descriptor }

            deinit { close(descriptor) }
        }

        let reading: End
        let writing: End

        init() throws(Failed) {
            var ends: [Int32] = [-1, -1]
            guard unsafe pipe2(&ends, Int32(O_CLOEXEC)) == 0 else { throw Failed(code: errno) }
            reading = End(ends[0])
            writing = End(ends[1])
        }
    }
}
