import Foundation

/// A model's settings with what the file was when it was read, so that a file replaced under its
/// name counts as another model.
struct ModelFile: Hashable, Sendable {
    private let path: String?
    private let templatePath: String?
    private let size: Int
    private let modified: Date?
    private let number: Int
    private let templateModified: Date?

    init(_ settings: ModelSettings) {
        path = settings.path
        templatePath = settings.templatePath
        let file = Self.attributes(settings.path)
        size = file?[.size] as? Int ?? 0
        modified = file?[.modificationDate] as? Date
        number = file?[.systemFileNumber] as? Int ?? 0
        templateModified = Self.attributes(settings.templatePath)?[.modificationDate] as? Date
    }

    /// Nil where there is no file; reading it will say why.
    private static func attributes(_ path: String?) -> [FileAttributeKey: Any]? {
        path.flatMap { try? FileManager.default.attributesOfItem(atPath: $0) }
    }
}
