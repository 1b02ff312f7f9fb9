import Glibc
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct ChildProcessTests {
    private func shell(_ script: String) throws -> ChildProcess {
        try ChildProcess(
            executable: "/bin/sh", arguments: ["-c", script], environment: ["WORD": "given"])
    }

    private func output(_ child: ChildProcess) -> String {
        var bytes: [UInt8] = []
        while case let more = child.read(), !more.isEmpty { bytes += more }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func hasItsEnvironmentAndNoDescriptorOfItsParents() throws {
        // Without close-on-exec.
        let open = dup(STDERR_FILENO)
        defer { close(open) }
        let child = try shell(
            """
            echo $WORD $HOME
            for each in 0 1 2 \(open); do test -e /proc/$$/fd/$each && echo $each; done
            """)
        #expect(output(child) == "given\n0\n1\n2\n")
        #expect(child.wait() == .status(1))
    }

    @Test func saysHowItEnded() throws {
        #expect(try shell("exit 7").wait() == .status(7))
        let sleeper = try shell("exec sleep 1000")
        sleeper.send(SIGTERM)
        #expect(sleeper.wait() == .signal(SIGTERM))
        // Its id may be somebody else's by now.
        sleeper.send(SIGKILL)
    }

    @Test func readsTheEndOfItsInputWhenItIsLetGo() throws {
        var child: ChildProcess? = try shell("cat; echo over > /dev/null")
        let id = try #require(child).processIdentifier
        child = nil
        var status: Int32 = 0
        #expect(waitpid(id, &status, 0) == id)
        #expect(status == 0)
    }

    @Test func whatIsNotThereIsAnError() {
        let error = #expect(throws: ChildProcess.Failed.self) {
            try ChildProcess(executable: "/nowhere/at/all", arguments: [], environment: [:])
        }
        #expect(error?.code == ENOENT)
    }
}
