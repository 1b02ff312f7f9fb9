internal import CLlama
internal import Synchronization

/// How grave a line of the library's log is.
package enum LibraryLogLevel: Int, Comparable, Sendable {
    case debug, info, warning, error

    package static func < (left: LibraryLogLevel, right: LibraryLogLevel) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// Process-wide state of llama.cpp.
package enum Library {
    /// Sends the library's log to `sink`, which any of its threads may call. To be called once,
    /// before any model is loaded; without it nothing is logged.
    package static func routeLog(
        minimum: LibraryLogLevel = .warning,
        to sink: @escaping @Sendable (LibraryLogLevel, String) -> Void
    ) {
        _ = isRouted.exchange(true, ordering: .relaxed)
        // The route is never freed: the library may log until the process ends.
        let route = unsafe Unmanaged.passRetained(LogRoute(minimum: minimum, sink: sink)).toOpaque()
        unsafe llama_log_set(
            { level, text, route in
                guard let text = unsafe text, let route = unsafe route else { return }
                unsafe Unmanaged<LogRoute>.fromOpaque(route).takeUnretainedValue()
                    .receive(level, String(cString: text))
            }, route)
    }

    private static let isRouted = Atomic(false)

    private static let initialised: Void = {
        // Left alone, the library prints every tensor to standard error.
        if !isRouted.load(ordering: .relaxed) { unsafe llama_log_set({ _, _, _ in }, nil) }
        llama_backend_init()
    }()

    /// Prepares the library; costs nothing after the first time.
    static func prepare() {
        _ = initialised
    }
}

/// Joins the library's log fragments to lines. Any thread of the library may call it.
private final class LogRoute: Sendable {
    private let minimum: LibraryLogLevel
    private let sink: @Sendable (LibraryLogLevel, String) -> Void
    private let pending = Mutex<(level: LibraryLogLevel, text: String)>((.debug, ""))

    init(minimum: LibraryLogLevel, sink: @escaping @Sendable (LibraryLogLevel, String) -> Void) {
        self.minimum = minimum
        self.sink = sink
    }

    func receive(_ rawLevel: ggml_log_level, _ fragment: String) {
        let line: (LibraryLogLevel, String)? = pending.withLock { pending in
            switch rawLevel {
            case GGML_LOG_LEVEL_CONT: break
            case GGML_LOG_LEVEL_ERROR: pending = (.error, "")
            case GGML_LOG_LEVEL_WARN: pending = (.warning, "")
            case GGML_LOG_LEVEL_INFO: pending = (.info, "")
            default: pending = (.debug, "")
            }
            pending.text += fragment
            guard pending.text.last == "\n" || pending.text.utf8.count > 4096 else { return nil }
            defer { pending.text = "" }
            let text = pending.text.last == "\n" ? String(pending.text.dropLast()) : pending.text
            return pending.level >= minimum && !text.isEmpty ? (pending.level, text) : nil
        }
        if let line { sink(line.0, line.1) }
    }
}
