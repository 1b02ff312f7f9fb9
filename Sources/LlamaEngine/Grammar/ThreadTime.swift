internal import Glibc

/// Processor time of the calling thread: unlike a wall clock, it stands while others have the core.
enum ThreadTime {
    /// Nanoseconds since the thread began.
    static func now() -> Int64 {
        var time = timespec()
        // Fails only for a clock that does not exist.
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
