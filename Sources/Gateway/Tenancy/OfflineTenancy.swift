import EngineProtocol
import Foundation
import InferenceAPI
import NIOCore
import Storage

/// What the admin API does for tenants, on a data directory that no gateway uses.
package struct OfflineTenancy {
    package enum Failure: Error, CustomStringConvertible {
        case noDirectory(String)
        /// A gateway would not see what is changed behind its back.
        case inUse(String)
        case refused(String)

        package var description: String {
            switch self {
            case .noDirectory(let path): "\(path) is no directory"
            case .inUse(let path): "a gateway runs with \(path): ask it instead (--admin)"
            case .refused(let reason): reason
            }
        }
    }

    private let storage: SQLiteStorage
    /// For as long as this lives.
    private let lock: RunnerLock

    private let licenseKeyFile: String?

    package init(dataDirectory path: String, licenseKeyFile: String? = nil) throws {
        self.licenseKeyFile = licenseKeyFile
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        guard attributes?[.type] as? FileAttributeType == .typeDirectory else {
            throw Failure.noDirectory(path)
        }
        guard let lock = try RunnerLock(path: DurableState.lockPath(in: path)) else {
            throw Failure.inUse(path)
        }
        self.lock = lock
        storage = try SQLiteStorage(
            path: DurableState.filePath(in: path),
            digest: { SHA256.digest(ByteBuffer(bytes: $0)) })
    }

    /// As a request to the admin API's path below `/admin/v1`, already taken apart.
    package func ask(_ method: String, _ parts: [String], body: [UInt8]) throws -> [UInt8] {
        do throws(APIError) {
            let route = try TenancyRoute(method: method, parts)
            return try TenancyOperations(
                storage: storage, licenseKeyFile: licenseKeyFile
            ).perform(route, body: body)
        } catch {
            throw Failure.refused(error.message)
        }
    }

    package func close() throws {
        try storage.close()
    }
}
