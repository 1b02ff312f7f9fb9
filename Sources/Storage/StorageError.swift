/// Why something was not stored or not found.
package enum StorageError: Error, Hashable, Sendable {
    /// The owner's limit, which has this value, is reached; nothing of the change was made.
    case limitReached(Limit, Int)
    /// There is no such thing, or it is another owner's.
    case notFound
    /// A name that must be unique is taken.
    case duplicate(String)
    /// It is over already: a batch that was cancelled or has expired takes no more requests.
    case closed
    /// The database refused, or cannot be read or written. SQLite's own words; for logs only.
    case failed(String)

    package enum Limit: String, Hashable, Sendable {
        case jobs = "deferred requests"
        case jobBytes = "bytes of deferred requests"
        case responses = "stored responses"
        case batches = "batches"
        case batchRequests = "batch requests"
        case batchBytes = "bytes of batch requests"
        case files = "files"
        case fileBytes = "bytes of one file"
        case allFileBytes = "bytes of files"
        case tenants
        case keys
    }
}
