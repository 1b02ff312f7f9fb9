import Dispatch
import Glibc

/// SIGTERM and SIGINT as a stream: the first asks for a drain, the second for an end at once.
///
/// Made once, before the program's first other thread, since it also sets SIGPIPE to be ignored: a
/// peer that closes its end is an error of one write, not the end of the process.
struct TerminationSignals: Sendable {
    /// Signal numbers in order of arrival; never ends by itself.
    let signals: AsyncStream<Int32>

    init() {
        _ = signal(SIGPIPE, SIG_IGN)
        signals = SignalStream([SIGTERM, SIGINT]).signals
    }

    /// SIGINT alone, for a program that people talk to.
    static func interrupts() -> AsyncStream<Int32> {
        _ = signal(SIGPIPE, SIG_IGN)
        return SignalStream([SIGINT]).signals
    }
}

/// Signals that would end the process by default, as a stream instead.
struct SignalStream: Sendable {
    /// Signal numbers in order of arrival; never ends by itself.
    let signals: AsyncStream<Int32>

    init(_ numbers: [Int32]) {
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
        for number in numbers {
            // The default action would end the process before the source is asked.
            _ = signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(
                signal: number, queue: .global(qos: .userInitiated))
            // The handler keeps its source alive: both last as long as the process.
            source.setEventHandler { [source] in
                if !source.isCancelled { continuation.yield(number) }
            }
            source.resume()
        }
        signals = stream
    }
}
