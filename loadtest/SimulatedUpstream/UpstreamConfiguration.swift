/// What a simulated upstream is asked to be.
package struct UpstreamConfiguration: Sendable, Equatable {
    package var host = "127.0.0.1"
    /// 0: the system chooses.
    package var port = 0
    /// The name of its model.
    package var model = "simulated"
    /// From one token of a stream to its next. 0: as fast as its reader takes them.
    package var stepMilliseconds = 0.0
    /// From a request to its first token.
    package var firstTokenMilliseconds = 0.0
    /// Paced streams are dealt out to so many moments of a step. 1: all get their tokens at once,
    /// as from one engine; more: evenly, as from so many engines that know nothing of each other.
    package var phases = 1
    /// Tokens of an unpaced stream that go out in one write, each an event and a chunk of its own.
    package var eventsPerWrite = 1
    /// Each token is the time at which it was written (`EventStamp`), not a word.
    package var isStamped = false
    /// Answers of requests without `max_tokens`.
    package var defaultTokens = 16
    /// A longer request body is refused (413).
    package var bodyBytesMax = 16 << 20
    /// Event loops, each with streams and a timer of its own.
    package var threads = 1

    package init() {}
}
