/// How a byte-level BPE tokenizer cuts text into words before it merges bytes.
///
/// What libllama does for each `tokenizer.ggml.pre` (`llama-vocab.cpp`, `llm_tokenizer_bpe`),
/// written as the regular expressions of Hugging Face's `tokenizers`. Names that are not here have
/// rules of their own and are refused rather than guessed. `interop_tokenizer.py` compares every
/// one of them with libllama.
struct PreTokenizer: Hashable, Sendable {
    /// Applied one after the other; what matches, and what lies between, is a word each.
    var splits: [String]
    /// A word that is a token becomes that token, whatever the merges say.
    var ignoresMerges = false

    /// Nil when the name is not known here.
    init?(named name: String) {
        switch name {
        case "gpt-2", "phi-2", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "gigachat",
            "a.x-4.0", "mellum", "modern-bert", "mpt", "olmo", "jais", "trillion",
            "granite-docling", "exaone4":
            splits = [Self.gpt2]
        case "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b",
            "mellum2":
            splits = [#"\p{N}"#, Self.gpt2]
        case "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0",
            "lfm2", "jina-v5-nano", "glm4", "glm5":
            splits = [Self.llama3(digits: #"\p{N}{1,3}"#)]
            ignoresMerges = true
        case "dbrx", "smaug-bpe", "chatglm-bpe":
            splits = [Self.llama3(digits: #"\p{N}{1,3}"#)]
        case "qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "stablelm2", "hunyuan",
            "solar-open", "megrez", "grok-2":
            splits = [Self.llama3(digits: #"\p{N}"#)]
        case "qwen35":
            splits = [Self.qwen35]
        case "gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2":
            splits = [Self.gpt4o]
        case "tekken":
            splits = [Self.tekken]
            ignoresMerges = true
        case "deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4":
            splits = Self.deepseek3
        default:
            return nil
        }
    }

    private static let gpt2 =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    /// `(?i:…)` would also fold letters outside of ASCII, such as the long s.
    private static let contractions =
        #"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"#
    private static let spaces = #"\s*[\r\n]+|\s+(?!\S)|\s+"#

    private static func llama3(digits: String) -> String {
        contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|"#
            + spaces
    }

    private static let qwen35 =
        contractions + #"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|"#
        + spaces
    /// libllama tells upper from lower case in ASCII only.
    private static let gpt4o =
        #"[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))*((?=[\p{L}])([^A-Z]))+"# + contractions
        + #"?|[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))+((?=[\p{L}])([^A-Z]))*"# + contractions
        + #"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|"# + spaces
    private static let tekken =
        #"[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))*((?=[\p{L}])([^A-Z]))+|"#
        + #"[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))+((?=[\p{L}])([^A-Z]))*|"#
        + #"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|"# + spaces
    private static let deepseek3 = [
        #"\p{N}{1,3}"#, #"[一-龥぀-ゟ゠-ヿ]+"#,
        ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##
            + #"| ?[\p{P}\p{S}]+[\r\n]*|"# + spaces,
    ]
}
