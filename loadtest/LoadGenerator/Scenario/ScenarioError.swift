/// All that is wrong with a scenario's file.
package struct ScenarioError: Error, Equatable, CustomStringConvertible {
    package struct Problem: Equatable, Sendable {
        /// From 1; 0 when it has no place.
        package var line: Int
        package var message: String
    }

    /// By line.
    package var problems: [Problem]

    package var description: String {
        problems.map { $0.line == 0 ? $0.message : "line \($0.line): \($0.message)" }
            .joined(separator: "\n")
    }
}

/// What a scenario's file needs of the world around it.
package struct ScenarioSurroundings {
    /// An environment variable's value.
    package var variable: (String) -> String?
    /// A file's text, its path relative to the scenario's folder; nil when it cannot be read.
    package var text: (String) -> String?
    /// The path itself, from the scenario's folder.
    package var path: (String) -> String

    package init(
        variable: @escaping (String) -> String?, text: @escaping (String) -> String?,
        path: @escaping (String) -> String = { $0 }
    ) {
        self.variable = variable
        self.text = text
        self.path = path
    }
}
