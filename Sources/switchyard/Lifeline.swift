import Dispatch

/// A pipe on standard input whose other end a supervisor holds: when the supervisor is gone,
/// however it went, the pipe ends, and so does the process it supervised.
///
/// More robust than asking the kernel for a signal at the parent's death, which is tied to the
/// parent's thread that forked, and than watching the parent's number, which can be reused.
enum Lifeline {
    /// Calls `ended` once, on a thread of its own, when standard input has reached its end.
    static func watch(ended: @escaping @Sendable () -> Void) {
        DispatchQueue(label: "lifeline").async {
            while readLine(strippingNewline: false) != nil {}
            ended()
        }
    }
}
