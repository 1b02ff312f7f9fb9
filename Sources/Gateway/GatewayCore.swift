import EngineProtocol
import Foundation
import InferenceTypes
import Logging
import NIOCore

/// What all loops of a gateway share: immutable, or synchronised inside.
struct GatewayCore: Sendable {
    let serving: ServingBox
    let preparation: ChatPreparation
    let metrics: GatewayMetrics
    let status: FleetStatus
    let resumable = ResumableStreams()
    let serviceLevels: ServiceLevels
    /// Nil: none is kept.
    let accessLog: AccessLog?
    /// Nil: nothing is kept.
    let storage: StorageAccess?
    /// Nil: no spans are made.
    let tracer: Tracer?
    /// Nil: nothing is metered, since nothing is kept.
    let meter: UsageMeter?
    let logger: Logger

    /// Monotonic.
    func clock() -> Instant { MonotonicClock.now() }
}

/// Wall-clock time, for `created` in answers only.
enum UnixClock {
    static func seconds() -> Int { Int(Date().timeIntervalSince1970) }
}

enum MonotonicClock {
    static func now() -> Instant {
        Instant(nanoseconds: Int64(NIODeadline.now().uptimeNanoseconds))
    }
}
