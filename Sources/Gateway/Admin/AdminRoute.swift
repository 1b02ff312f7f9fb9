import Foundation
import InferenceAPI
import InferenceTypes

/// The part of an `AdminAction` that method and path say.
enum AdminRoute: Hashable, Sendable {
    case workers
    case add
    case remove(WorkerID)
    case drain(WorkerID)
    case undrain(WorkerID)
    case weight(WorkerID)
    case decisions(requestID: String)
    case restart(WorkerID)
    case pools
    case scale(pool: String)
    case swap(pool: String)
    case models
    case load
    case unload(String)
    case split(String)
    case removeSplit(String)
    case reload
    case serviceLevels
    case tenancy(TenancyRoute)
    case usage(UsageReport)

    init(method: String, path: String) throws(APIError) {
        guard path.hasPrefix("/admin/v1/") else { throw Self.unknown }
        if let id = Self.requestID(path) {
            self = try Self.choose(method, ["GET": .decisions(requestID: id)])
            return
        }
        let parts = path.prefix { $0 != "?" }.split(separator: "/").dropFirst(2)
            .map { String($0).removingPercentEncoding ?? String($0) }
        switch (parts.first, parts.count) {
        case ("workers", 1):
            self = try Self.choose(method, ["GET": .workers, "POST": .add])
        case ("workers", 2):
            self = try Self.choose(method, ["DELETE": .remove(Self.worker(parts[1]))])
        case ("workers", 3):
            let id = try Self.worker(parts[1])
            self = try Self.choose(
                method, parts[2],
                [
                    "drain": .drain(id), "undrain": .undrain(id), "weight": .weight(id),
                    "restart": .restart(id),
                ])
        case ("pools", 1):
            self = try Self.choose(method, ["GET": .pools])
        case ("pools", 3):
            self = try Self.choose(
                method, parts[2],
                ["scale": .scale(pool: parts[1]), "swap": .swap(pool: parts[1])])
        case ("models", 1):
            self = try Self.choose(method, ["GET": .models, "POST": .load])
        case ("models", 2):
            self = try Self.choose(method, ["DELETE": .unload(parts[1])])
        case ("splits", 2):
            self = try Self.choose(
                method, ["PUT": .split(parts[1]), "DELETE": .removeSplit(parts[1])])
        case ("slo", 1):
            self = try Self.choose(method, ["GET": .serviceLevels])
        case ("tenants", _), ("keys", _), ("licenses", _):
            self = .tenancy(try TenancyRoute(method: method, parts))
        case ("usage", _):
            self = try Self.choose(
                method, ["GET": .usage(UsageReport(path: String(path.dropFirst(10))))])
        case ("reload", 1):
            self = try Self.choose(method, ["POST": .reload])
        default: throw Self.unknown
        }
    }

    /// A request's id may have slashes, also percent-encoded.
    private static func requestID(_ path: String) -> String? {
        let prefix = "/admin/v1/decisions/"
        guard path.hasPrefix(prefix) else { return nil }
        let rest = path.dropFirst(prefix.count).prefix { $0 != "?" }
        return RequestHeaders.requestID(rest.removingPercentEncoding)
    }

    private static var unknown: APIError { APIError(.routeNotFound, "Unknown path.") }

    private static func choose(
        _ method: String, _ routes: [String: AdminRoute]
    ) throws(APIError) -> AdminRoute {
        guard let route = routes[method] else {
            throw .methodNotAllowed(
                method, allowed: routes.keys.sorted().joined(separator: ", "))
        }
        return route
    }

    private static func choose(
        _ method: String, _ verb: String, _ routes: [String: AdminRoute]
    ) throws(APIError) -> AdminRoute {
        guard let route = routes[verb] else { throw unknown }
        return try choose(method, ["POST": route])
    }

    private static func worker(_ text: String) throws(APIError) -> WorkerID {
        guard let number = UInt32(text) else {
            throw APIError(.invalidValue, "A worker's id is a number: \(text.prefix(64)).")
        }
        return WorkerID(number: number)
    }
}
