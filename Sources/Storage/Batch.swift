/// Many requests that are run together, on what nobody else wants.
package struct Batch: Hashable, Sendable {
    /// How many of its requests are where.
    package struct Counts: Hashable, Sendable {
        package var pending = 0
        package var succeeded = 0
        package var failed = 0
        package var cancelled = 0

        package var total: Int { pending + succeeded + failed + cancelled }

        package init() {}
    }

    package var id: String
    package var owner: Owner
    package var name: String
    /// The file that its requests came from.
    package var inputFileID: String?
    /// Unix milliseconds.
    package var createdMilliseconds: Int64
    /// When requests that have not run end with an error.
    package var expiresMilliseconds: Int64
    package var cancelledMilliseconds: Int64?
    package var counts = Counts()

    package init(
        id: String, owner: Owner, name: String, inputFileID: String? = nil,
        createdMilliseconds: Int64, expiresMilliseconds: Int64
    ) {
        self.id = id
        self.owner = owner
        self.name = name
        self.inputFileID = inputFileID
        self.createdMilliseconds = createdMilliseconds
        self.expiresMilliseconds = expiresMilliseconds
    }
}

/// A request that is to be added to a batch.
package struct NewBatchRequest: Hashable, Sendable {
    /// The job's.
    package var id: String
    /// The client's, unique in its batch.
    package var name: String
    package var face: String
    package var body: [UInt8]
    /// As the body names it.
    package var model: String

    package init(id: String, name: String, face: String, body: [UInt8], model: String) {
        self.id = id
        self.name = name
        self.face = face
        self.body = body
        self.model = model
    }
}

/// A part of a list, oldest first or newest first as the list has it.
package struct Page<Item: Hashable & Sendable>: Hashable, Sendable {
    package var items: [Item]
    /// Where the next page begins; nil at the end.
    package var next: Int64?

    package init(items: [Item], next: Int64?) {
        self.items = items
        self.next = next
    }
}
