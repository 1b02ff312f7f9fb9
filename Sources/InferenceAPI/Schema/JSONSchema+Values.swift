extension JSONSchema {
    /// Whether `value` matches. Errs towards "no", for patterns that take too long.
    func admits(_ value: JSONTree) -> Bool { admits(value, root, depth: 0) }

    private func admits(_ value: JSONTree, _ node: SchemaNode, depth: Int) -> Bool {
        // Values are at most so deep, and references lead on at least every other time.
        guard depth < 512 else { return false }
        switch (node, value) {
        case (.anything, _), (.null, .null), (.boolean, .boolean): return true
        case (.integer(let range), .number(let text)):
            guard let number = Double(text), number.rounded() == number else { return false }
            return Double(range.lowerBound) <= number && number <= Double(range.upperBound)
        case (.number(let range), .number(let text)):
            return Double(text).map(range.contains) ?? false
        case (.string(let least, let most), .string(let text)):
            let length = text.unicodeScalars.count
            return least <= length && length <= most ?? .max
        case (.pattern(let pattern), .string(let text)): return pattern.matches(text)
        case (.literals(let values), _): return values.contains { Self.areEqual($0, value) }
        case (.array(let item, let least, let most), .array(let items)):
            return least <= items.count && items.count <= most ?? .max
                && items.allSatisfy { admits($0, item, depth: depth + 1) }
        case (.tuple(let nodes), .array(let items)):
            return nodes.count == items.count
                && zip(nodes, items).allSatisfy { admits($1, $0, depth: depth + 1) }
        case (.object(let object), .object(let members)):
            return admits(members, object, depth: depth + 1)
        case (.anyOf(let nodes), _):
            return nodes.contains { admits(value, $0, depth: depth + 1) }
        case (.reference(let number), _):
            return admits(value, definitions[number], depth: depth + 1)
        default: return false
        }
    }

    private func admits(
        _ members: [JSONTree.Member], _ object: SchemaObject, depth: Int
    ) -> Bool {
        guard object.least <= members.count, members.count <= object.most ?? .max else {
            return false
        }
        for property in object.properties where property.isRequired {
            guard members.contains(where: { $0.key == property.name }) else { return false }
        }
        return members.allSatisfy { member in
            let property = object.properties.first { $0.name == member.key }
            guard let node = property?.node ?? object.others else { return false }
            return admits(member.value, node, depth: depth)
        }
    }

    private static func areEqual(_ left: JSONTree, _ right: JSONTree) -> Bool {
        switch (left, right) {
        case (.number(let one), .number(let two)): Double(one) == Double(two)
        case (.array(let one), .array(let two)):
            one.count == two.count && zip(one, two).allSatisfy(areEqual)
        case (.object(let one), .object(let two)):
            one.count == two.count
                && one.allSatisfy { member in
                    two.contains { $0.key == member.key && areEqual($0.value, member.value) }
                }
        default: left == right
        }
    }
}
