internal import CLlama
internal import CLlamaChat
internal import Glibc

/// The libraries' own logs: errors go to standard error, the rest (hundreds of lines for each model
/// that is opened) nowhere.
enum LibraryLog {
    private static let silenced: Void = {
        switchyard_chat_quiet()
        unsafe llama_log_set(
            { level, text, _ in
                guard level == GGML_LOG_LEVEL_ERROR, let text = unsafe text else { return }
                _ = unsafe write(STDERR_FILENO, text, strlen(text))
            }, nil)
    }()

    /// Takes effect once; later calls do nothing.
    static func quiet() { silenced }
}
