/// What outlives the process: accepted work and its results, stored responses, batches, files.
///
/// Every call blocks for as long as the disk takes: never on an event loop. Any thread. A call that
/// returns has stored what it was given: the end of the process, however sudden, loses none of it.
/// Times are Unix milliseconds and are the caller's.
package protocol Storage: Sendable {
    var limits: StorageLimits { get }

    // MARK: Jobs

    /// Throws `limitReached`.
    func accept(_ job: NewJob, now: Int64) throws(StorageError)
    /// Takes up to `limit` jobs that are due, the oldest first; they are `running` from then on.
    func claimJobs(isBatch: Bool, limit: Int, now: Int64) throws(StorageError) -> [Job]
    /// A job that could not be done now becomes due again at `due`.
    func release(job sequence: Int64, due: Int64) throws(StorageError)
    /// Ends a running job. False when it was not running any more: nothing is changed then.
    ///
    /// - Parameter response: stored in the same transaction.
    func finish(
        job sequence: Int64, _ outcome: JobOutcome, storing response: StoredResponse?, now: Int64
    ) throws(StorageError) -> Bool
    /// Jobs that a process left running when it ended are due again. Only for who runs jobs alone.
    func recoverJobs(interrupted: JobOutcome, now: Int64) throws(StorageError) -> Int
    /// Without its body when `withBody` is false. Throws `notFound`.
    func job(_ id: String, of owner: Owner, withBody: Bool) throws(StorageError) -> Job
    /// Ends a job of that kind that has no result yet. False when it has one. Throws `notFound`.
    func cancel(
        job id: String, _ kind: Job.Kind, of owner: Owner, now: Int64
    ) throws(StorageError) -> Bool
    func deleteJob(_ id: String, _ kind: Job.Kind, of owner: Owner) throws(StorageError)
    /// Those of some running jobs that were cancelled, or that are gone.
    func cancelledJobs(among sequences: [Int64]) throws(StorageError) -> [Int64]

    // MARK: Responses

    func store(_ response: StoredResponse) throws(StorageError)
    /// Throws `notFound`.
    func response(_ id: String, of owner: Owner) throws(StorageError) -> StoredResponse
    /// Throws `notFound`.
    func deleteResponse(_ id: String, of owner: Owner) throws(StorageError)

    // MARK: Batches

    /// All or nothing. Throws `limitReached`, `duplicate`.
    func create(_ batch: Batch, requests: [NewBatchRequest]) throws(StorageError)
    /// All or nothing. Throws `notFound`, `closed`, `limitReached`, `duplicate`.
    func add(
        _ requests: [NewBatchRequest], to id: String, of owner: Owner, now: Int64
    ) throws(StorageError)
    func batch(_ id: String, of owner: Owner) throws(StorageError) -> Batch
    /// Newest first; `before`: the `next` of the page before this one.
    func batches(of owner: Owner, before: Int64?, limit: Int) throws(StorageError) -> Page<Batch>
    /// Requests that have not ended never will. Throws `notFound`.
    func cancelBatch(_ id: String, of owner: Owner, now: Int64) throws(StorageError)
    /// In order of acceptance. `isFinal`: only those that have ended, with their results.
    func requests(
        ofBatch id: String, of owner: Owner, isFinal: Bool, after: Int64?, limit: Int
    ) throws(StorageError) -> Page<Job>
    /// Throws `notFound`.
    func request(
        named name: String, ofBatch id: String, of owner: Owner
    ) throws(StorageError) -> Job

    // MARK: Files

    /// Begins an upload, which nobody sees before `finishFile`.
    func beginFile(_ file: StoredFile) throws(StorageError)
    /// Throws `limitReached`, after which the upload is gone.
    func append(_ bytes: [UInt8], toFile id: String) throws(StorageError)
    /// Only now its name, purpose and end are known for certain.
    func finishFile(
        _ id: String, name: String, purpose: String, expires: Int64?
    ) throws(StorageError) -> StoredFile
    func abandonFile(_ id: String) throws(StorageError)
    func file(_ id: String, of owner: Owner) throws(StorageError) -> StoredFile
    func files(of owner: Owner, before: Int64?, limit: Int) throws(StorageError) -> Page<StoredFile>
    /// Where `files` goes on behind a file. Throws `notFound`.
    func position(ofFile id: String, of owner: Owner) throws(StorageError) -> Int64
    func deleteFile(_ id: String, of owner: Owner) throws(StorageError)
    /// Part `index` of a file's content; nil behind the last one.
    func content(ofFile id: String, part index: Int) throws(StorageError) -> [UInt8]?

    // MARK: Tenants

    /// All of them.
    func tenancy() throws(StorageError) -> Tenancy
    /// Throws `notFound`, as all of the following.
    func tenant(_ id: String) throws(StorageError) -> TenantRecord
    /// Throws `limitReached`, `duplicate`.
    func create(_ tenant: TenantRecord) throws(StorageError)
    /// A shorter retention holds for what is stored already too.
    func update(_ tenant: TenantRecord) throws(StorageError)
    /// With its applications, keys, and all that it has stored.
    func deleteTenant(_ id: String) throws(StorageError)
    func applications(of tenant: String) throws(StorageError) -> [String]
    func key(_ id: String) throws(StorageError) -> KeyRecord
    /// With its application, where that is new. Throws `limitReached`.
    func create(_ key: KeyRecord) throws(StorageError)
    func update(_ key: KeyRecord) throws(StorageError)
    func deleteKey(_ id: String) throws(StorageError)

    // MARK: Time

    /// Ends and forgets what is over by `now`, not more than `limit` of each; how many.
    ///
    /// - Parameter expired: what requests get that their batch's time was too short for.
    func purge(expired: JobOutcome, now: Int64, limit: Int) throws(StorageError) -> Int
}
