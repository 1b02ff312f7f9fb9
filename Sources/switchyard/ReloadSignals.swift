import Dispatch
import Glibc

/// SIGHUP as a stream: what is read from files is to be read again. Made once, before the program's
/// first other thread.
struct ReloadSignals: Sendable {
    /// One element for each signal, several at once counting as one; never ends by itself.
    let signals: AsyncStream<Void>

    init() {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        // The default action would end the process before the source is asked.
        _ = signal(SIGHUP, SIG_IGN)
        let source = DispatchSource.makeSignalSource(
            signal: SIGHUP, queue: .global(qos: .userInitiated))
        // The handler keeps its source alive: both last as long as the process.
        source.setEventHandler { [source] in
            if !source.isCancelled { continuation.yield() }
        }
        source.resume()
        signals = stream
    }
}
