package import HTTPTransport

/// One kind of requests in a run's mix.
package struct TrafficClass: Sendable, Equatable {
    /// Where the words of users come from.
    package enum Prompt: Sendable, Equatable {
        /// So many made-up words, about a token each; each prompt differs from its first word on.
        case words(Distribution)
        /// These texts in turn.
        case list([String])

        /// A prompt in each line that is not empty, whatever ends the lines; nil without one.
        package static func list(lines text: String) -> Prompt? {
            let lines = text.split(whereSeparator: \.isNewline)
            return lines.isEmpty ? nil : .list(lines.map(String.init))
        }
    }

    /// System prompts that requests have in common.
    package struct SharedPrefix: Sendable, Equatable {
        /// How many different ones there are; each request has one of them, all equally often.
        package var pool: Int
        /// About so many tokens each.
        package var tokens: Int

        /// Of all prefixes of a class together, which are kept: some 140 MB.
        package static let tokensMax = 20_000_000

        package init(pool: Int, tokens: Int) {
            self.pool = pool
            self.tokens = tokens
        }
    }

    /// Requests that follow each other, each with all that was said before.
    package struct Conversation: Sendable, Equatable {
        package var turns: Distribution
        /// From an answer's end to the next turn, seconds: the next turn's intended start.
        package var thinkSeconds: Distribution

        package init(turns: Distribution, thinkSeconds: Distribution) {
            self.turns = turns
            self.thinkSeconds = thinkSeconds
        }
    }

    /// Requests that their client gives up.
    package struct Cancels: Sendable, Equatable {
        package enum Moment: Sendable, Equatable {
            /// With the delta of this number.
            case afterTokens(Int)
            /// From when it was sent.
            case afterMilliseconds(Double)
        }

        /// Of the requests, 0...1.
        package var fraction: Double
        package var moment: Moment

        package init(fraction: Double, moment: Moment) {
            self.fraction = fraction
            self.moment = moment
        }
    }

    /// Requests whose client does not read as fast as the answer comes.
    package struct SlowReaders: Sendable, Equatable {
        package enum Pace: Sendable, Equatable {
            case bytesPerSecond(Double)
            /// Reads nothing for so long after the first token, and then as everybody.
            case stall(seconds: Double)
        }

        /// Of the requests, 0...1.
        package var fraction: Double
        package var pace: Pace
        /// What the server may send ahead of the reader: the HTTP/2 window of its stream.
        package var windowBytes = 4_096

        package init(fraction: Double, pace: Pace) {
            self.fraction = fraction
            self.pace = pace
        }
    }

    /// Of a prompt, made up or from a trace.
    package static let promptTokensMax = 10_000_000

    package var name: String?
    /// Its part of the requests, in proportion to all weights.
    package var weight = 1.0
    /// For reports, and nothing else: the server learns who asks from `fields`.
    package var tenant: String?
    /// `service_tier`.
    package var tier: String?
    package var model = "default"
    /// On each request, beside the run's.
    package var fields: [HTTPField] = []
    package var prompt = Prompt.words(.constant(64))
    /// Tokens of an answer, at most.
    package var output = Distribution.constant(64)
    /// Generate that many whatever the model says (llama-server, vLLM and Switchyard know it).
    package var ignoresEndOfSequence = false
    package var temperature: Double? = 0
    /// Further members of the request as JSON text, for example `"top_p":0.9`. Not for gRPC.
    package var extraMembers: [String] = []
    package var sharedPrefix: SharedPrefix?
    package var conversation: Conversation?
    package var cancels: Cancels?
    package var slowReaders: SlowReaders?

    package init() {}

    /// What reports call it.
    func requestClass(slow: Bool) -> RequestClass {
        let scenario = slow ? (name ?? "requests") + " read slowly" : name
        return RequestClass(
            tenant: tenant, tier: tier, model: model == "default" ? nil : model,
            scenario: scenario)
    }
}
