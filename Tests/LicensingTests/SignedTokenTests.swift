import Testing

@testable import Licensing

@Suite struct SignedTokenTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// RFC 8037, Appendix A.
    private let vector = """
        {"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",\
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
        """
    private let signed = """
        eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
        hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dW\
        bhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg
        """

    @Test func agreesWithTheRFC() throws {
        let key = try SigningKey(jwk: bytes(vector))
        // A.3 has the thumbprint, A.4 the signature.
        #expect(key.publicKey.id == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
        let payload = try SignedToken.verify(signed, with: [key.publicKey])
        #expect(payload == bytes("Example of Ed25519 signing"))
    }

    @Test func keysReadAsTheyAreWritten() throws {
        let key = SigningKey()
        let again = try SigningKey(jwk: key.jwk)
        let token = try SignedToken.sign(bytes("{}"), with: again)
        let publicKeys = try VerifyingKey.all(in: key.publicKey.jwk)
        #expect(try SignedToken.verify(token, with: publicKeys) == bytes("{}"))
        #expect(!String(decoding: key.publicKey.jwk, as: UTF8.self).contains("\"d\""))
        let one = String(decoding: key.publicKey.jwk, as: UTF8.self)
        let other = String(decoding: SigningKey().publicKey.jwk, as: UTF8.self)
        let set = try VerifyingKey.all(in: bytes("{\"keys\":[\(other),\(one)]}"))
        #expect(try SignedToken.verify(token, with: set) == bytes("{}"))
    }

    @Test func everyChangedCharacterIsSeen() throws {
        let key = SigningKey()
        let token = try SignedToken.sign(bytes(#"{"sub":"acme"}"#), with: key)
        let characters = Array(token.utf8)
        for index in characters.indices {
            var changed = characters
            changed[index] =
                changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(throws: LicensingError.self) {
                try SignedToken.verify(
                    String(decoding: changed, as: UTF8.self), with: [key.publicKey])
            }
        }
    }

    private func token(header: String, _ key: SigningKey) throws -> String {
        let text = Base64URL.encode(bytes(header)) + "." + Base64URL.encode(bytes("{}"))
        return text + "." + Base64URL.encode(try key.sign(bytes(text)))
    }

    @Test(arguments: [
        #"{"alg":"none"}"#, #"{"alg":"HS256"}"#, #"{"alg":"eddsa"}"#,
        #"{"alg":"EdDSA","crit":["exp"]}"#,
    ])
    func refusesOtherAlgorithms(header: String) throws {
        let key = SigningKey()
        #expect(throws: LicensingError.unsupported) {
            try SignedToken.verify(try token(header: header, key), with: [key.publicKey])
        }
    }

    @Test func refusesStrangersAndNonsense() throws {
        let key = SigningKey()
        let token = try SignedToken.sign(bytes("{}"), with: key)
        #expect(throws: LicensingError.unknownKey) {
            try SignedToken.verify(token, with: [SigningKey().publicKey])
        }
        let unnamed = try self.token(header: #"{"alg":"EdDSA"}"#, key)
        #expect(throws: LicensingError.badSignature) {
            try SignedToken.verify(unnamed, with: [SigningKey().publicKey])
        }
        for text in [
            "", ".", "..", "a.b.c", token + ".", token + "=", " " + token, token + "\n",
            String(token.dropLast()), String(repeating: "A", count: 70_000),
        ] {
            #expect(throws: LicensingError.self) {
                try SignedToken.verify(text, with: [key.publicKey])
            }
        }
        for key in ["", "{}", #"{"keys":[]}"#, vector.replacing("Ed25519", with: "X25519")] {
            #expect(throws: LicensingError.badKey) { try VerifyingKey.all(in: bytes(key)) }
        }
        #expect(throws: LicensingError.badKey) {
            try SigningKey(jwk: bytes(vector.replacing("11qY", with: "11qZ")))
        }
    }
}
