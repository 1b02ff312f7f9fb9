/// What each type's keywords say.
extension SchemaReader {
    // MARK: Numbers

    /// Largest magnitude of integers: 15 digits, which a Double holds exactly.
    static let integerMax: Int64 = 999_999_999_999_999

    func readInteger(_ keywords: Keywords) throws(SchemaError) -> SchemaNode {
        var least = -Self.integerMax
        var most = Self.integerMax
        if let bound = try bound("minimum", keywords) {
            least = max(least, try whole(bound.rounded(.up), "minimum", keywords))
        }
        if let bound = try bound("exclusiveMinimum", keywords) {
            let above = bound.rounded(.down) + 1
            least = max(least, try whole(above, "exclusiveMinimum", keywords))
        }
        if let bound = try bound("maximum", keywords) {
            most = min(most, try whole(bound.rounded(.down), "maximum", keywords))
        }
        if let bound = try bound("exclusiveMaximum", keywords) {
            let below = bound.rounded(.up) - 1
            most = min(most, try whole(below, "exclusiveMaximum", keywords))
        }
        guard least <= most else {
            throw SchemaError(path: keywords.path("type"), message: "No integer is in the range.")
        }
        return .integer(least...most)
    }

    /// Bounds must be whole: a grammar compares digits.
    func readNumber(_ keywords: Keywords) throws(SchemaError) -> SchemaNode {
        var range = SchemaNumberRange()
        for (name, isIncluded) in [("minimum", true), ("exclusiveMinimum", false)] {
            guard let value = try wholeBound(name, keywords) else { continue }
            if let least = range.least, least.value > value { continue }
            let isTighter = range.least.map { $0.value < value } ?? true
            range.least = .init(
                value: value, isIncluded: isIncluded && (isTighter || range.least!.isIncluded))
        }
        for (name, isIncluded) in [("maximum", true), ("exclusiveMaximum", false)] {
            guard let value = try wholeBound(name, keywords) else { continue }
            if let most = range.most, most.value < value { continue }
            let isTighter = range.most.map { $0.value > value } ?? true
            range.most = .init(
                value: value, isIncluded: isIncluded && (isTighter || range.most!.isIncluded))
        }
        if let least = range.least, let most = range.most {
            let isEmpty =
                least.value > most.value
                || (least.value == most.value && !(least.isIncluded && most.isIncluded))
            guard !isEmpty else {
                throw SchemaError(
                    path: keywords.path("type"), message: "No number is in the range.")
            }
        }
        return .number(range)
    }

    private func bound(_ name: String, _ keywords: Keywords) throws(SchemaError) -> Double? {
        guard let value = keywords[name] else { return nil }
        guard case .number(let text) = value, let bound = Double(text), bound.isFinite else {
            throw SchemaError(path: keywords.path(name), message: "Expected a number.")
        }
        return bound
    }

    private func wholeBound(_ name: String, _ keywords: Keywords) throws(SchemaError) -> Int64? {
        guard let bound = try bound(name, keywords) else { return nil }
        guard bound.rounded() == bound else {
            throw SchemaError(
                path: keywords.path(name),
                message: "Bounds of numbers are enforced where they are whole.")
        }
        return try whole(bound, name, keywords)
    }

    /// A bound beyond what is ever generated, on the far side, is no bound.
    private func whole(
        _ bound: Double, _ name: String, _ keywords: Keywords
    ) throws(SchemaError) -> Int64 {
        let most = Double(Self.integerMax)
        let isLower = name == "minimum" || name == "exclusiveMinimum"
        guard isLower ? bound <= most : bound >= -most else {
            throw SchemaError(
                path: keywords.path(name), message: "Expected a bound of at most 15 digits.")
        }
        return Int64(min(max(bound, -most), most))
    }

    // MARK: Strings

    func readString(_ keywords: Keywords) throws(SchemaError) -> SchemaNode {
        let least = try keywords.count("minLength", most: limits.least) ?? 0
        let most = try keywords.count("maxLength", most: .max)
        if let most, most < least {
            throw SchemaError(
                path: keywords.path("maxLength"), message: "Expected at least 'minLength'.")
        }
        let pattern: SchemaPattern
        switch (keywords["pattern"], keywords["format"]) {
        case (nil, nil): return .string(least: least, most: most)
        case (let text?, nil):
            guard case .string(let text) = text else {
                throw SchemaError(path: keywords.path("pattern"), message: "Expected a string.")
            }
            do {
                pattern = try SchemaPattern(parsing: text, limits: limits)
            } catch {
                throw SchemaError(path: keywords.path("pattern"), message: error.message)
            }
        case (nil, let name?):
            guard case .string(let name) = name, let format = SchemaFormat.pattern(name) else {
                throw SchemaError(
                    path: keywords.path("format"),
                    message: "Enforced formats: \(SchemaFormat.names.joined(separator: ", ")).")
            }
            pattern = format
        default:
            throw SchemaError(
                path: keywords.path("pattern"), message: "Not enforced beside 'format'.")
        }
        let lengths = pattern.lengths
        guard least <= lengths.least else {
            throw SchemaError(
                path: keywords.path("minLength"),
                message: "Only enforced beside a pattern or format that implies it.")
        }
        if let most {
            guard let longest = lengths.most, longest <= most else {
                throw SchemaError(
                    path: keywords.path("maxLength"),
                    message: "Only enforced beside a pattern or format that implies it.")
            }
        }
        return .pattern(pattern)
    }

    // MARK: Arrays

    mutating func readArray(_ keywords: Keywords) throws(SchemaError) -> SchemaNode {
        if let unique = keywords["uniqueItems"], unique != .boolean(false) {
            throw SchemaError(
                path: keywords.path("uniqueItems"), message: "This keyword cannot be enforced.")
        }
        let least = try keywords.count("minItems", most: limits.least) ?? 0
        let most = try keywords.count("maxItems", most: .max)
        if let most, most < least {
            throw SchemaError(
                path: keywords.path("maxItems"), message: "Expected at least 'minItems'.")
        }
        // A list of schemas is `prefixItems` by its name before 2020-12.
        var first = ("prefixItems", keywords["prefixItems"])
        var rest = ("items", keywords["items"])
        if first.1 == nil, case .array? = rest.1 {
            first = rest
            rest = ("additionalItems", keywords["additionalItems"])
        } else if keywords["additionalItems"] != nil {
            throw SchemaError(
                path: keywords.path("additionalItems"),
                message: "Only enforced beside an array of 'items'.")
        }
        guard first.1 != nil else {
            guard let items = rest.1 else { return .array(.anything, least: least, most: most) }
            if items == .boolean(false), least == 0 { return .tuple([]) }
            let item = try read(items, at: keywords.path(rest.0))
            return .array(item, least: least, most: most)
        }
        let path = keywords.path(first.0)
        let schemas = try list(first.1, at: path)
        guard least <= schemas.count, schemas.count <= most ?? .max else {
            throw SchemaError(
                path: path, message: "Only enforced where the array has exactly these items.")
        }
        if let items = rest.1, items != .boolean(false) {
            // Never generated, but understood.
            _ = try read(items, at: keywords.path(rest.0))
        }
        var items: [SchemaNode] = []
        for (index, schema) in schemas.enumerated() {
            items.append(try read(schema, at: "\(path)[\(index)]"))
        }
        return .tuple(items)
    }

    // MARK: Objects

    mutating func readObject(_ keywords: Keywords) throws(SchemaError) -> SchemaNode {
        var properties = try readProperties(keywords)
        var others: SchemaNode?
        let othersPath = keywords.path("additionalProperties")
        switch keywords["additionalProperties"] {
        case nil: others = .anything
        case .boolean(let isAllowed): others = isAllowed ? .anything : nil
        case let schema?: others = try read(schema, at: othersPath)
        }
        try readRequired(keywords, into: &properties, others: others)
        if keywords["properties"] != nil, keywords["additionalProperties"] == nil {
            // Objects that name properties get no others, also where they name none.
            others = nil
        }
        let least = try keywords.count("minProperties", most: limits.least) ?? 0
        let most = try keywords.count("maxProperties", most: .max)
        guard properties.isEmpty, others != nil else {
            // All that may be there are named.
            guard least <= properties.count(where: \.isRequired) else {
                throw SchemaError(
                    path: keywords.path("minProperties"),
                    message: "Only enforced where 'required' implies it.")
            }
            guard properties.count <= most ?? .max else {
                throw SchemaError(
                    path: keywords.path("maxProperties"),
                    message: "Only enforced where 'properties' implies it.")
            }
            return .object(SchemaObject(properties: properties, others: others))
        }
        if let most, most < least {
            throw SchemaError(
                path: keywords.path("maxProperties"), message: "Expected at least 'minProperties'.")
        }
        // Equal names would count once.
        guard least <= 1 else {
            throw SchemaError(
                path: keywords.path("minProperties"), message: "Enforced up to 1 without names.")
        }
        return .object(
            SchemaObject(properties: [], others: others, least: least, most: most))
    }

    private mutating func readProperties(
        _ keywords: Keywords
    ) throws(SchemaError) -> [SchemaObject.Property] {
        guard let value = keywords["properties"] else { return [] }
        let path = keywords.path("properties")
        guard case .object(let members) = value else {
            throw SchemaError(path: path, message: "Expected an object.")
        }
        var properties: [SchemaObject.Property] = []
        for member in members {
            let node = try read(member.value, at: "\(path).\(member.key.prefix(64))")
            properties.append(.init(name: member.key, node: node, isRequired: false))
        }
        return properties
    }

    private mutating func readRequired(
        _ keywords: Keywords, into properties: inout [SchemaObject.Property], others: SchemaNode?
    ) throws(SchemaError) {
        guard let value = keywords["required"] else { return }
        let path = keywords.path("required")
        guard case .array(let names) = value else {
            throw SchemaError(path: path, message: "Expected an array.")
        }
        for name in names {
            guard case .string(let name) = name else {
                throw SchemaError(path: path, message: "Expected names.")
            }
            if let index = properties.firstIndex(where: { $0.name.utf8.elementsEqual(name.utf8) }) {
                properties[index].isRequired = true
            } else if let others {
                guard properties.count < limits.nodes else {
                    throw SchemaError(path: path, message: "Expected fewer names.")
                }
                properties.append(.init(name: name, node: others, isRequired: true))
            } else {
                throw SchemaError(
                    path: path, message: "'\(name.prefix(64))' is required and not allowed.")
            }
        }
    }
}
