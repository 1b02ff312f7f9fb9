internal import InferenceTypes

/// One model that clients can ask for.
package struct ModelSettings: Hashable, Sendable {
    /// What clients call it; unique among names, aliases and splits.
    package var name: String
    /// Other names for it.
    package var aliases: [String] = []
    /// A GGUF file, of which the gateway reads only vocabulary and chat template; a vocabulary-only
    /// file is enough. Nil for a model whose workers take text (`PoolSettings.Kind.openAI`).
    package var path: String?
    /// A Jinja file used instead of the model's own chat template.
    package var templatePath: String?
    /// Whether `/v1/embeddings` serves it.
    package var embeds = false

    package init(name: String, path: String?) {
        self.name = name
        self.path = path
    }

    /// A model called as its file, without `.gguf`.
    package init(path: String) {
        self.init(name: ModelName.ofFile(path), path: path)
    }
}

/// A name behind which several models share the requests: for a roll-out. The same conversation
/// goes to the same model for as long as the shares stay.
package struct ModelSplit: Hashable, Sendable {
    package struct Share: Hashable, Sendable {
        /// `ModelSettings.name`.
        package var model: String
        /// In proportion to the sum of all; above 0.
        package var weight: Int

        package init(model: String, weight: Int) {
            self.model = model
            self.weight = weight
        }
    }

    package var name: String
    /// In the order of the configuration; each model once.
    package var shares: [Share]

    package init(name: String, shares: [Share]) {
        self.name = name
        self.shares = shares
    }
}
