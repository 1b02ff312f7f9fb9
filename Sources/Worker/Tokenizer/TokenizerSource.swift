import Compression
import EngineProtocol
import GRPC
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Tokenization

/// The tokenizer bundle of a worker: made when it is first asked for, off the loops, then kept for
/// the worker's life (0.5 MB for 49,000 tokens). A failure is kept as well.
final class TokenizerSource: Sendable {
    /// Nil for the simulated engine.
    private let modelPath: String?
    private let vocabularySize: Int
    /// Set once, by the first loop that asks; the lock is never held while anything is computed.
    private let made = NIOLockedValueBox<EventLoopFuture<EngineTokenizerBundle>?>(nil)

    init(_ configuration: WorkerConfiguration, _ engine: EngineThread.Description) {
        if case .llama(let settings) = configuration.engine {
            modelPath = settings.modelPath
        } else {
            modelPath = nil
        }
        vocabularySize = engine.properties.vocabularySize
    }

    /// From any loop; the future is of that loop.
    func bundle(on eventLoop: any EventLoop) -> EventLoopFuture<EngineTokenizerBundle> {
        let future = made.withLockedValue { made in
            if let made { return made }
            let future = NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) {
                [modelPath, vocabularySize] in
                try Self.make(modelPath, vocabularySize: vocabularySize)
            }
            made = future
            return future
        }
        return future.hop(to: eventLoop)
    }

    /// Returns when nothing of this is under way any more.
    func settle() async {
        guard let future = made.withLockedValue({ $0 }) else { return }
        // Whoever asked was told of a failure.
        _ = try? await future.get()
    }

    private static func make(
        _ path: String?, vocabularySize: Int
    ) throws(GRPCStatus) -> EngineTokenizerBundle {
        guard let path else {
            throw GRPCStatus(.failedPrecondition, "the simulated engine has no tokenizer")
        }
        do {
            let export = try TokenizerExport(modelPath: path)
            guard export.vocabularySize == vocabularySize else {
                throw GRPCStatus(
                    .failedPrecondition, "the model's file was replaced after the worker's start")
            }
            var archive = ZipWriter()
            for file in export.files {
                try archive.add(name: file.name, ByteBuffer(bytes: file.bytes))
            }
            return EngineTokenizerBundle(archive: archive.finish())
        } catch let status as GRPCStatus {
            throw status
        } catch TokenizationError.notExportable(let reason) {
            throw GRPCStatus(.failedPrecondition, "no tokenizer files: \(reason)")
        } catch {
            throw GRPCStatus(.internalError, "no tokenizer files: \(error)")
        }
    }
}
