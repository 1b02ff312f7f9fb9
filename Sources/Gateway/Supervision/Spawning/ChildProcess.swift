import CSpawn
import Glibc
import Synchronization

/// A child process in a process group of its own, so that a terminal's interrupt reaches only its
/// parent. It inherits stderr; stdin and stdout are pipes, and every other descriptor is closed.
///
/// Foundation's `Process` never frees what belongs to a process that has ended: 8 KiB and two pipes
/// each time (Swift 6.3).
///
/// Any thread may use it. Nothing is ever written to its stdin, which closes with this object.
final class ChildProcess: Sendable {
    enum Exit: Hashable, Sendable {
        case status(Int32)
        case signal(Int32)
    }

    /// errno of what failed.
    struct Failed: Error, CustomStringConvertible {
        let code: Int32
        var description: String { unsafe String(cString: strerror(code)) }
    }

    /// What the parent may have set otherwise for itself.
    private static let signals = [
        SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGCHLD, SIGUSR1, SIGUSR2,
    ]

    let processIdentifier: pid_t
    private let standardInput: Pipe.End
    private let standardOutput: Pipe.End
    /// Whether the id is still that of this child: until it has been reaped.
    private let isOurs = Mutex(true)

    init(
        executable: String, arguments: [String], environment: [String: String]
    ) throws(Failed) {
        let input = try Pipe()
        let output = try Pipe()
        processIdentifier = try Self.spawn(
            executable, arguments, environment, input: input.reading, output: output.writing)
        standardInput = input.writing
        standardOutput = output.reading
    }

    /// Blocks until something was written to stdout, and returns it: at most 4 KiB; nothing at its
    /// end.
    func read() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = unsafe Glibc.read(standardOutput.descriptor, &bytes, bytes.count)
            if count < 0, errno == EINTR { continue }
            return Array(bytes.prefix(max(0, count)))
        }
    }

    /// Blocks until the child has ended. To be called once: the id is nobody's from then on.
    func wait() -> Exit {
        var information = unsafe siginfo_t()
        // It stays a zombie for now, so that a signal sent meanwhile cannot reach a stranger.
        while unsafe waitid(P_PID, id_t(processIdentifier), &information, WEXITED | WNOWAIT) < 0,
            errno == EINTR
        {}
        return isOurs.withLock { isOurs in
            isOurs = false
            var status: Int32 = 0
            while unsafe waitpid(processIdentifier, &status, 0) < 0, errno == EINTR {}
            // wait(2): the low seven bits are the signal's number, the byte above them the status.
            let signal = status & 0x7f
            return signal == 0 ? .status(status >> 8 & 0xff) : .signal(signal)
        }
    }

    /// Does nothing once the child has been waited for.
    func send(_ signal: Int32) {
        isOurs.withLock { isOurs in
            if isOurs { _ = kill(processIdentifier, signal) }
        }
    }

    private static func spawn(
        _ executable: String, _ arguments: [String], _ environment: [String: String],
        input: Pipe.End, output: Pipe.End
    ) throws(Failed) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, input.descriptor, STDIN_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, output.descriptor, STDOUT_FILENO)
        unsafe posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)

        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var mask = sigset_t()
        unsafe sigemptyset(&mask)
        unsafe posix_spawnattr_setsigmask(&attributes, &mask)
        for signal in signals { unsafe sigaddset(&mask, signal) }
        unsafe posix_spawnattr_setsigdefault(&attributes, &mask)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        unsafe posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))

        let words = unsafe strings([executable] + arguments)
        defer { unsafe free(words) }
        let variables = unsafe strings(environment.map { "\($0.key)=\($0.value)" })
        defer { unsafe free(variables) }
        var child: pid_t = 0
        let code = unsafe posix_spawn(
            &child, executable, &actions, &attributes, words, variables)
        guard code == 0 else { throw Failed(code: code) }
        return child
    }

    /// As execve takes them: to be given to `free` below.
    private static func strings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] {
        unsafe texts.map { unsafe strdup($0) } + [nil]
    }

    private static func free(_ strings: [UnsafeMutablePointer<CChar>?]) {
        for index in unsafe strings.indices { unsafe Glibc.free(strings[index]) }
    }
}
