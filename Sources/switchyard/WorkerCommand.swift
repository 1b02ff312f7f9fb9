import ArgumentParser
import Worker

/// `switchyard worker`: one process, one device, one model, N slots.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Run one model on one device and serve token ids to gateways.")

    func run() async throws {
        throw ValidationError("worker is not built in yet")
    }
}
