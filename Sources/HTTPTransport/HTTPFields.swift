/// One header or trailer field.
package struct HTTPField: Sendable, Hashable {
    /// Lower case, as HTTP/2 demands (RFC 9113 §8.2.1); HTTP/1.1 names are lowered on arrival.
    package var name: String
    /// The value without surrounding white space.
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// Header or trailer fields in the order in which they arrived, repeated names included.
///
/// Names are compared byte for byte: callers pass lower case. Blocks are short (the transport
/// limits them), so a scan beats a table.
package struct HTTPFields: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    package var list: [HTTPField]

    package init() {
        list = []
    }

    package init(_ list: [HTTPField]) {
        self.list = list
    }

    package init(dictionaryLiteral elements: (String, String)...) {
        list = elements.map { HTTPField($0.0, $0.1) }
    }

    package var count: Int { list.count }
    package var isEmpty: Bool { list.isEmpty }

    /// The first value of `name`, nil when there is none. Setting replaces all values of the name
    /// (nil removes them).
    package subscript(name: String) -> String? {
        get {
            for field in list where field.name == name { return field.value }
            return nil
        }
        set {
            if let newValue {
                if let first = list.firstIndex(where: { $0.name == name }) {
                    list[first].value = newValue
                    let kept = first + 1
                    for index in list.indices.reversed()
                    where index >= kept && list[index].name == name {
                        list.remove(at: index)
                    }
                } else {
                    list.append(HTTPField(name, newValue))
                }
            } else {
                list.removeAll { $0.name == name }
            }
        }
    }

    package func contains(_ name: String) -> Bool {
        list.contains { $0.name == name }
    }

    /// All values of `name`, in order.
    package func values(named name: String) -> [String] {
        list.filter { $0.name == name }.map(\.value)
    }

    package mutating func append(_ name: String, _ value: String) {
        list.append(HTTPField(name, value))
    }

    package mutating func reserveCapacity(_ count: Int) {
        list.reserveCapacity(count)
    }
}

extension HTTPFields: Sequence {
    package func makeIterator() -> IndexingIterator<[HTTPField]> {
        list.makeIterator()
    }
}
