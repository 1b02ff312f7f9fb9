import ArgumentParser
import Foundation
import Gateway
import Licensing

/// `switchyard license`: licences that are checked without a network.
struct LicenseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "license", abstract: "Issue and check licences.",
        discussion: """
            A licence is a JWT signed with Ed25519 that says what a tenant is entitled to. \
            `switchyard tenants import-license` puts it in force. FILE may be - for standard input.
            """,
        subcommands: [KeyGen.self, Issue.self, Show.self, Verify.self])

    struct KeyGen: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "keygen", abstract: "Make a key to sign licences with.",
            discussion: "Prints the key to verify with, which a gateway's --license-key-file has.")
        @Argument(help: "File for the private key; it must not exist.") var file: String

        func run() async throws {
            let key = SigningKey()
            guard !FileManager.default.fileExists(atPath: file),
                FileManager.default.createFile(
                    atPath: file, contents: Data(key.jwk), attributes: [.posixPermissions: 0o600])
            else { throw ValidationError("\(file) exists already, or cannot be written") }
            Output.line(LicenseFile.text(key.publicKey.jwk))
        }
    }

    struct Issue: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sign a licence and print it.", discussion: "It needs --expires.")
        @Argument(help: "The tenant's id.") var tenant: String
        @Option(help: "File with the private key.") var key: String
        @Option(help: "Who issues it.") var issuer: String?
        @OptionGroup var options: TenantOptions

        func run() async throws {
            let body = try options.body().filter { !($0.value is NSNull) }
            let json = try JSONSerialization.data(withJSONObject: body)
            do {
                let key = try SigningKey(jwk: LicenseFile.read(key))
                let license = try License(
                    tenant: tenant, issuer: issuer, Array(json),
                    now: Int64(Date().timeIntervalSince1970))
                Output.line(try license.signed(with: key))
            } catch let error as LicensingError {
                try LicenseFile.refuse("\(key): \(error)")
            } catch let error as License.Failure {
                try LicenseFile.refuse("no licence was issued, \(error)")
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print what a licence says, without checking it.")
        @Argument(help: "The licence's file.") var file: String

        func run() async throws {
            do {
                try LicenseFile.show(License(unverified: LicenseFile.token(file)))
            } catch let error as License.Failure {
                try LicenseFile.refuse("\(file): \(error)")
            }
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a licence's signature and time; print what it says.")
        @Argument(help: "The licence's file.") var file: String
        @Option(help: "File with the keys to verify with.") var licenseKeyFile: String

        func run() async throws {
            do {
                let keys = try VerifyingKey.all(in: LicenseFile.read(licenseKeyFile))
                try LicenseFile.show(
                    License(
                        LicenseFile.token(file), keys: keys,
                        now: Int64(Date().timeIntervalSince1970)))
            } catch let error as LicensingError {
                try LicenseFile.refuse("\(licenseKeyFile): \(error)")
            } catch let error as License.Failure {
                try LicenseFile.refuse("\(file): \(error)")
            }
        }
    }
}

/// Files of keys and licences.
enum LicenseFile {
    static func read(_ path: String) throws -> [UInt8] {
        let data =
            path == "-"
            ? try FileHandle.standardInput.readToEnd()
            : FileManager.default.contents(atPath: path)
        guard let data else { throw ValidationError("cannot read \(path)") }
        return Array(data)
    }

    static func token(_ path: String) throws -> String {
        text(try read(path))
    }

    static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    static func show(_ license: License) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        Output.line(String(decoding: try encoder.encode(license), as: UTF8.self))
    }

    static func refuse(_ reason: String) throws -> Never {
        Output.error("switchyard: \(reason)")
        throw ExitCode.failure
    }
}
