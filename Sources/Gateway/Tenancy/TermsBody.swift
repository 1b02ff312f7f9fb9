import Foundation
import InferenceAPI
import InferenceTypes
import Storage

/// A JSON object that an operator sent. Names that are not known are refused: a mistyped limit
/// would be none.
struct TermsBody {
    private static let ratePerMinute = 1...1_000_000_000
    private static let concurrent = 1...1_000_000
    /// Names in one list, pools or models.
    private static let listLimit = 256
    private static let nameBytesLimit = 256

    private var members: [String: Any]

    init(_ bytes: [UInt8]) throws(APIError) {
        guard !bytes.isEmpty else {
            members = [:]
            return
        }
        let object = try? JSONSerialization.jsonObject(with: Data(bytes))
        guard let members = object as? [String: Any] else {
            throw APIError(.malformedJSON, "The body is not the JSON object that is expected here.")
        }
        self.members = members
    }

    /// Takes a member out; nil where it is absent or null.
    mutating func text(_ name: String) throws(APIError) -> String? {
        guard let value = members.removeValue(forKey: name), !(value is NSNull) else { return nil }
        guard let text = value as? String, text.utf8.count <= 65_536 else {
            throw APIError(.invalidType, "Expected a string.", parameter: name)
        }
        return text
    }

    mutating func required(_ name: String) throws(APIError) -> String {
        guard let text = try text(name), !text.isEmpty else {
            throw APIError(.missingParameter, "\(name) is missing.", parameter: name)
        }
        return text
    }

    mutating func seconds(_ name: String, in range: ClosedRange<Int64>) throws(APIError) -> Int64? {
        guard let value = members.removeValue(forKey: name), !(value is NSNull) else { return nil }
        guard let number = value as? Int64, range.contains(number) else {
            throw APIError(
                .invalidValue, "Expected seconds, \(range.lowerBound)...\(range.upperBound).",
                parameter: name)
        }
        return number
    }

    /// Nothing else may be there.
    func end() throws(APIError) {
        if let name = members.keys.sorted().first { throw Self.unknown(name) }
    }

    /// What is left are terms, put over some others: what is null is taken from them.
    func terms(over old: Terms = Terms(), isKey: Bool) throws(APIError) -> Terms {
        let known = Set(Terms.CodingKeys.allCases.map(\.rawValue))
            .subtracting(isKey ? Terms.ofTenantsOnly.map(\.rawValue) : [])
        if let name = members.keys.sorted().first(where: { !known.contains($0) }) {
            throw Self.unknown(name)
        }
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            try Self.checkLimits(name, value)
        }
        var merged = Self.object(old)
        for (name, value) in members { merged[name] = value is NSNull ? nil : value }
        let terms: Terms
        do {
            terms = try JSONDecoder().decode(
                Terms.self, from: JSONSerialization.data(withJSONObject: merged))
        } catch DecodingError.typeMismatch(_, let context),
            DecodingError.valueNotFound(_, let context), DecodingError.dataCorrupted(let context)
        {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw APIError(.invalidType, "\(path) has another type.", parameter: path)
        } catch {
            throw APIError(.malformedJSON, "The body cannot be read.")
        }
        try Self.check(terms)
        return terms
    }

    private static func unknown(_ name: String) -> APIError {
        APIError(
            .invalidValue, "There is nothing called \(name.prefix(64)) here.", parameter: name)
    }

    private static func object(_ terms: Terms) -> [String: Any] {
        guard let data = try? JSONEncoder().encode(terms),
            let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
        else { preconditionFailure("terms are always JSON") }
        return object
    }

    private static func checkLimits(_ name: String, _ value: Any) throws(APIError) {
        var all: [[String: Any]] = []
        if name == Terms.CodingKeys.limits.rawValue, let one = value as? [String: Any] {
            all = [one]
        }
        if name == Terms.CodingKeys.modelLimits.rawValue, let some = value as? [String: Any] {
            all = some.values.compactMap { $0 as? [String: Any] }
        }
        let known = Set(Terms.Limits.CodingKeys.allCases.map(\.rawValue))
        for limits in all {
            if let other = limits.keys.sorted().first(where: { !known.contains($0) }) {
                throw unknown("\(name).\(other)")
            }
        }
    }

    static func check(_ terms: Terms) throws(APIError) {
        typealias Name = Terms.CodingKeys
        func require(_ isGood: Bool, _ name: Name, _ expected: String) throws(APIError) {
            guard !isGood else { return }
            throw APIError(
                .invalidValue, "\(name.rawValue): expected \(expected).", parameter: name.rawValue)
        }
        for (name, list) in [
            (Name.models, terms.models), (.endpoints, terms.endpoints), (.pools, terms.pools),
        ] {
            let isGood =
                list.map { names in
                    (1...listLimit).contains(names.count)
                        && names.allSatisfy { (1...nameBytesLimit).contains($0.utf8.count) }
                } ?? true
            try require(isGood, name, "1...\(listLimit) names")
        }
        try require(
            terms.tier.map { ServiceTier(name: $0) != nil } ?? true, .tier,
            "priority, default or batch")
        for limits in [terms.limits].compactMap(\.self) {
            try require(isGood(limits), .limits, "whole numbers above 0")
        }
        let models = terms.modelLimits ?? [:]
        try require(
            models.count <= listLimit && models.values.allSatisfy(isGood), .modelLimits,
            "whole numbers above 0 for at most \(listLimit) models")
        try require(terms.tokenBudget.map { $0 >= 0 } ?? true, .tokenBudget, "0 or more")
        try require(terms.usdTicksBudget.map { $0 >= 0 } ?? true, .usdTicksBudget, "0 or more")
        let times: ClosedRange<Int64> = 0...100_000_000_000
        try require(terms.expires.map(times.contains) ?? true, .expires, "Unix seconds")
        try require(
            terms.retentionSeconds.map(times.contains) ?? true, .retentionSeconds, "seconds")
        try require(
            terms.weight.map { (0.001...1_000).contains($0) } ?? true, .weight, "0.001...1000")
        let guaranteed = terms.guaranteedShare ?? 0
        try require((0...1).contains(guaranteed), .guaranteedShare, "0...1")
        try require(
            (max(guaranteed, 0.001)...1).contains(terms.maximumShare ?? 1), .maximumShare,
            "guaranteed_share...1")
    }

    private static func isGood(_ limits: Terms.Limits) -> Bool {
        (limits.requestsPerMinute.map(ratePerMinute.contains) ?? true)
            && (limits.tokensPerMinute.map(ratePerMinute.contains) ?? true)
            && (limits.concurrentRequests.map(concurrent.contains) ?? true)
    }
}
