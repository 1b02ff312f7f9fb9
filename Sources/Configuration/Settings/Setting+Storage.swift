/// What outlives the process: how much, and for how long.
extension Setting {
    static let storageSynchronous = Setting(
        "storage-synchronous", .word(["normal", "full"]), default: .text("normal"),
        """
        Whether accepted work survives the end of the process (normal) or also a loss of power \
        (full: an fsync for each request that is stored).
        """)
    static let jobConcurrency = Setting(
        "job-concurrency", .integer(1...65_536), default: .integer(64),
        "Deferred requests that run, or wait for a slot, at once.")
    static let batchConcurrency = Setting(
        "batch-concurrency", .integer(0...65_536), default: .integer(64),
        "Requests of batches that run, or wait for an idle slot, at once; 0: none runs.")
    static let batchReserveSlots = Setting(
        "batch-reserve-slots", .integer(0...65_536), default: .integer(0),
        "Slots of each worker that requests of batches leave to others.")
    static let jobLimit = Setting(
        "job-limit", .integer(0...10_000_000), default: .integer(100_000),
        "Deferred requests of one key, with results that are kept; more are refused with 429.")
    static let responseLimit = Setting(
        "response-limit", .integer(0...10_000_000), default: .integer(100_000),
        "Stored responses of one key; beyond it the oldest is forgotten.")
    static let batchLimit = Setting(
        "batch-limit", .integer(0...1_000_000), default: .integer(10_000),
        "Batches of one key; more are refused with 429.")
    static let batchRequestLimit = Setting(
        "batch-request-limit", .integer(0...100_000_000), default: .integer(1_000_000),
        "Requests in all batches of one key; more are refused with 429.")
    static let fileLimit = Setting(
        "file-limit", .integer(0...1_000_000), default: .integer(10_000),
        "Files of one key; more are refused with 429.")
    static let fileBytes = Setting(
        "file-bytes", .integer(1...(1 << 40)), default: .integer(50 << 20),
        "Largest file, in bytes; more is 413.")
    static let deferredHours = Setting(
        "deferred-hours", .integer(1...8_760), default: .integer(24),
        "How long a deferred request may wait, and how long its result is kept, in hours.")
    static let responseDays = Setting(
        "response-days", .integer(1...3_650), default: .integer(30),
        "How long a stored response is kept, in days.")
    static let batchHours = Setting(
        "batch-hours", .integer(1...8_760), default: .integer(24),
        "How long a batch may run, in hours; requests that have not run by then fail.")
    static let batchDays = Setting(
        "batch-days", .integer(1...3_650), default: .integer(30),
        "How long a batch and its results are kept, in days.")

    static let ofStorage: [Setting] = [
        storageSynchronous, jobConcurrency, batchConcurrency, batchReserveSlots, jobLimit,
        responseLimit, batchLimit,
        batchRequestLimit, fileLimit, fileBytes, deferredHours, responseDays, batchHours,
        batchDays,
    ]
}
