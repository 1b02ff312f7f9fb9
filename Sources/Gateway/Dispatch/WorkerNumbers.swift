import InferenceTypes

/// Numbers the workers of all pools, so that each number means one worker for as long as the
/// gateway runs. Owned by the dispatchers' loop.
final class WorkerNumbers {
    private var last: UInt32 = 0

    func next() -> WorkerID {
        defer { last += 1 }
        return WorkerID(number: last)
    }
}
