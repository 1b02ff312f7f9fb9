"""`response_format: json_schema` on the real model: what comes out validates, what cannot be
enforced is refused."""

import concurrent.futures
import json

import httpx
import jsonschema
import pytest
from conftest import body

WORD = {"type": "string", "minLength": 1, "maxLength": 12}
TEXT = {"type": "string", "maxLength": 40}


def thing(**properties):
    return {"type": "object", "properties": properties, "required": list(properties),
            "additionalProperties": False}


def text(**keywords):
    return {"type": "string", **keywords}


def items(schema, least=0, most=3):
    return {"type": "array", "items": schema, "minItems": least, "maxItems": most}


TREE = {
    "$defs": {"node": thing(name=WORD, children=items({"$ref": "#/$defs/leaf"}, 0, 2)),
              "leaf": thing(name=WORD, size={"type": "integer", "minimum": 0, "maximum": 99})},
    "$ref": "#/$defs/node"}
PAIR = {"$defs": {"tail": {"anyOf": [{"type": "null"}, thing(value={"enum": [0, 1]})]}},
        **thing(value={"enum": [0, 1]}, next={"$ref": "#/$defs/tail"})}
LIST = thing(value={"enum": [0, 1]}, next={"anyOf": [{"type": "null"}, {"$ref": "#"}]})

# Each bounds how long its values can be.
SCHEMAS = [
    thing(name=WORD), thing(name=WORD, age={"type": "integer", "minimum": 0, "maximum": 120}),
    thing(ok={"type": "boolean"}, why=TEXT), thing(nothing={"type": "null"}),
    thing(color={"enum": ["red", "green", "blue"]}), thing(kind={"const": "fixed"}),
    thing(mixed={"enum": ["a\"b", "c\\d", 1, 2.5, None, True, {"x": [1]}]}),
    thing(a=thing(b=thing(c=WORD))), thing(list=items(WORD, 1, 4)),
    thing(matrix=items(items({"type": "integer", "minimum": -9, "maximum": 9}, 2, 2), 2, 2)),
    thing(people=items(thing(name=WORD, born={"type": "integer", "minimum": 1900,
                                              "maximum": 2025}), 1, 2)),
    thing(low={"type": "integer", "minimum": -25, "maximum": -5}),
    thing(score={"type": "number", "minimum": 0, "maximum": 1}),
    thing(up={"type": "number", "exclusiveMinimum": 0, "maximum": 100}),
    thing(big={"type": "integer", "exclusiveMinimum": 999, "exclusiveMaximum": 1234567}),
    thing(any_number={"type": "number"}), thing(any_integer={"type": "integer"}),
    thing(either={"anyOf": [{"type": "null"}, WORD, {"type": "boolean"}]}),
    thing(one={"oneOf": [{"type": "integer"}, items({"type": "boolean"}, 1, 2)]}),
    thing(several={"type": ["string", "null", "integer"], "maxLength": 9}),
    {"oneOf": [thing(type={"const": "circle"}, radius={"type": "integer", "minimum": 1}),
               thing(type={"const": "square"}, side={"type": "integer", "minimum": 1})]},
    thing(day=text(format="date")), thing(at=text(format="date-time")),
    thing(at=text(format="time")), thing(id=text(format="uuid")),
    thing(host=text(format="ipv4"), mail=text(format="email")),
    thing(name=text(format="hostname"), v6=text(format="ipv6")),
    thing(link=text(format="uri")),
    thing(plate=text(pattern="^[A-Z]{2}-\\d{3,4}$")),
    thing(phone=text(pattern="^\\+?[0-9]{1,3} \\(?[0-9]{3}\\)? [0-9]{4}$")),
    thing(choice=text(pattern="^(yes|no|may ?be)$"), rest=text(pattern="^[^a-z]{3}$")),
    thing(quoted=text(pattern="^.{2}\"[\\\\/]\\n\\w{2}\\s?$")),
    TREE, PAIR,
    {"type": "array", "prefixItems": [WORD, {"type": "integer"}, {"type": "boolean"}],
     "items": False, "minItems": 3},
    items({"enum": list(range(10))}, 3, 3),
    {"type": "object", "properties": {"a": WORD, "b": WORD, "c": {"type": "boolean"}},
     "required": ["b"]},
    {"type": "object", "properties": {"x": TEXT, "y": TEXT}, "title": "All optional",
     "description": "x and y", "$schema": "https://json-schema.org/draft/2020-12/schema"},
    {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 9},
     "minProperties": 1, "maxProperties": 1},
    {"$defs": {"a/b": {"type": "integer", "minimum": 1, "maximum": 3}, "a-b": {"const": "dash"}},
     **thing(one={"$ref": "#/$defs/a~1b"}, two={"$ref": "#/$defs/a-b"},
             three={"allOf": [{"$ref": "#/$defs/a%2Db"}]})},
]


def request(schema, **fields):
    return body(
        "Describe something as JSON.",
        **{"temperature": 1, "max_tokens": 700,
           "response_format": {"type": "json_schema",
                               "json_schema": {"name": "answer", "schema": schema,
                                               "strict": True}}, **fields})


@pytest.fixture(scope="module")
def http(server):
    with httpx.Client(base_url=server.url, timeout=900) as client:
        yield client


def test_every_answer_validates(http):
    """40 schemas, 5 answers each, at temperature 1: all end by themselves and validate."""
    assert len(SCHEMAS) == 40
    for schema in SCHEMAS:
        jsonschema.Draft202012Validator.check_schema(schema)

    def ask(number):
        answer = http.post("/v1/chat/completions", json=request(
            SCHEMAS[number], n=5, seed=100 + number))
        return number, answer

    outputs = 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for number, answer in pool.map(ask, range(len(SCHEMAS))):
            schema = SCHEMAS[number]
            assert answer.status_code == 200, (schema, answer.text)
            validator = jsonschema.Draft202012Validator(
                schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
            for choice in answer.json()["choices"]:
                content = choice["message"]["content"]
                assert choice["finish_reason"] == "stop", (schema, content)
                validator.validate(json.loads(content))
                outputs += 1
    assert outputs == 200


def test_recursive_schemas(http):
    """Nothing bounds how deep such a value is, so an answer may be cut."""
    answer = http.post("/v1/chat/completions", json=request(LIST, n=4, max_tokens=160, seed=1))
    for choice in answer.json()["choices"]:
        if choice["finish_reason"] == "stop":
            jsonschema.validate(json.loads(choice["message"]["content"]), LIST)
        else:
            assert choice["finish_reason"] == "length"
            assert choice["message"]["content"].lstrip().startswith("{")


def test_streamed_and_greedy(http):
    schema = thing(name=WORD, tags=items(WORD, 1, 2))
    with http.stream("POST", "/v1/chat/completions",
                     json=request(schema, stream=True, temperature=0)) as answer:
        deltas = [json.loads(line[6:])["choices"][0] for line in answer.iter_lines()
                  if line.startswith("data: {")]
    content = "".join(delta["delta"].get("content") or "" for delta in deltas)
    jsonschema.validate(json.loads(content), schema)
    assert deltas[-1]["finish_reason"] == "stop"


REFUSED = [
    ({"type": "number", "multipleOf": 0.5}, "multipleOf"),
    ({"type": "number", "minimum": 0.5}, "minimum"),
    ({"type": "array", "uniqueItems": True}, "uniqueItems"),
    ({"type": "array", "contains": {}}, "contains"),
    ({"not": {}}, "not"),
    ({"if": {}, "then": {}, "else": {}}, "if"),
    ({"type": "object", "dependentSchemas": {}}, "dependentSchemas"),
    ({"type": "object", "patternProperties": {}}, "patternProperties"),
    ({"type": "object", "propertyNames": {}}, "propertyNames"),
    ({"type": "object", "minProperties": 3}, "minProperties"),
    ({"type": "string", "format": "ean13"}, "format"),
    ({"type": "string", "pattern": "[a-z]"}, "pattern"),
    ({"type": "string", "pattern": "^(?=.*a)b$"}, "pattern"),
    ({"type": "string", "pattern": "^a{70000}$"}, "pattern"),
    ({"oneOf": [{"type": "string"}, {"type": "string", "maxLength": 3}]}, "oneOf"),
    ({"allOf": [{}, {}]}, "allOf"),
    ({"$ref": "https://example.com/x.json"}, "$ref"),
    ({"type": "string", "minLength": 99999}, "minLength"),
    ({"unknownKeyword": 1}, "unknownKeyword"),
]


@pytest.mark.parametrize("schema,keyword", REFUSED, ids=[keyword for _, keyword in REFUSED])
def test_what_cannot_be_enforced_is_refused(http, schema, keyword):
    answer = http.post("/v1/chat/completions", json=request(thing(x=schema)))
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    path = f"response_format.json_schema.schema.properties.x.{keyword}"
    assert error["param"] == path
    assert path in error["message"]


def test_endless_schemas_are_refused(http):
    answer = http.post("/v1/chat/completions", json=request(thing(me={"$ref": "#"})))
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "response_format.json_schema.schema"


def test_what_is_too_large_for_a_worker_fails_alone(http):
    """Within the gateway's own limits, and over the worker's: refused, and the worker lives on."""
    wide = {"type": "object",
            "properties": {f"p{index}": text(maxLength=2000 - index) for index in range(700)},
            "required": ["p0"]}
    answer = http.post("/v1/chat/completions", json=request(wide))
    assert answer.status_code == 400, answer.text
    answer = http.post("/v1/chat/completions", json=request(thing(name=WORD), max_tokens=60))
    assert answer.status_code == 200
