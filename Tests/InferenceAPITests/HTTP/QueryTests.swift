import Testing

@testable import InferenceAPI

@Suite struct QueryTests {
    @Test func readsParameters() throws {
        let query = Query(
            of: "/v1/x?stream=true&starting_after=17&name=a+b%20%E6%BC%A2&empty=&bare")
        #expect(try query.bool("stream") == true)
        #expect(try query.integer("starting_after", in: 0...100) == 17)
        #expect(query["name"] == "a b 漢")
        #expect(query["empty"] == "")
        #expect(query["bare"] == "")
        #expect(query["other"] == nil)
        #expect(try query.integer("other", in: 0...1) == nil)
        #expect(Query(of: "/v1/x")["stream"] == nil)
    }

    @Test func theFirstOfEqualNamesCounts() {
        #expect(Query(of: "/?a=1&a=2")["a"] == "1")
    }

    @Test(arguments: ["/?n=x", "/?n=", "/?n=101", "/?n=-1", "/?n=1.0"])
    func refusesWhatIsNoNumberOfTheRange(_ target: String) {
        let error = #expect(throws: APIError.self) {
            try Query(of: target).integer("n", in: 0...100)
        }
        #expect(error?.kind == .invalidValue)
        #expect(error?.parameter == "n")
    }

    @Test func skipsWhatIsNotUTF8() {
        let query = Query(of: "/?a=%FF&b=%zz&c=1")
        #expect(query["a"] == nil)
        #expect(query["b"] == nil)
        #expect(query["c"] == "1")
    }
}
