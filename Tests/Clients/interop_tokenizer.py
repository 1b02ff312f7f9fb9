"""The tokenizer files that a worker streams, read by Hugging Face's `tokenizers`: the same tokens as
libllama's, for every family of pre-tokenizers that the worker knows.

Copies of the default model's file get another `tokenizer.ggml.pre`, by which libllama chooses how
to cut words, and a vocabulary in which nearly every two bytes of a word merge: the model's own has
no merges over the borders at which its own pre-tokenizer cuts, and would not show another's.
"""

import hashlib
import collections
import io
import itertools
import json
import os
import random
import re
import struct
import subprocess
import sys
import unicodedata
import zipfile

import pytest
from conftest import BINARY, MODEL

sys.path.insert(0, os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "EngineProtocolTests", "Python"))

import stubs  # noqa: E402,F401
import common_pb2  # noqa: E402
import grpc  # noqa: E402
import vllm_engine_pb2_grpc  # noqa: E402
from gguf_file import GGUF  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

PREFIX = os.environ["SWITCHYARD_LLAMA_PREFIX"]
SEED = int(os.environ.get("SEED", "20260807"))
RANDOM_TEXTS = 3000

# One for each entry of PreTokenizer.swift.
FAMILIES = ["dense-smollm", "gpt-2", "llama-bpe", "dbrx", "qwen2", "qwen35", "gpt-4o", "tekken",
            "deepseek-v3"]

TRICKY = [
    "", " ", "  ", "\n", "\n\n \n", "\t\t x", "a  b", "a   b ", "   leading", "trailing   ",
    "Hello, world!", "don't DON'T I'LL we've it's 'S 'ſ you'Re", "1234567890 12 3.14159 1,000,000",
    "x1y22z333", "٠١٢٣ ४५६ Ⅻ ½ ²", "naïve café e\u0301 Å A\u030a ﬁ", "日本語のテキスト。漢字かな交じり文",
    "汉字和English混合2024年", "한국어 텍스트", "العربية مع أرقام ١٢٣", "हिन्दी में पाठ", "ไทยไม่มีช่องว่าง",
    "עברית", "Ελληνικά ΣΊΣΥΦΟΣ ς", "İstanbul ıI", "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇯🇵", "\u200b\u200d\ufeff\u00a0\u3000\u2028\u2029 \u0085",
    "def f(x):\n    return x ** 2  # square\n\n\nclass A:\n\tpass\n",
    "for (int i = 0; i < n; i++) {\r\n\ts += a[i];\r\n}\r\n", "https://example.org/?q=1&r=%20#x",
    "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "<|im_start|><|im_end|> <|im_end|>x",
    "<|im_sta", "<|endoftext|>", "a<|endoftext|>b", "\\u0041 \\n {\"a\": [1, null]}",
    "!!!???...---***///\n///", "«quoted» “smart” ‘quotes’ — dash…", "€£¥₹ ± × ÷ ≠ ∑∫√", "a\u0000b", "\u001b[31m",
    "_snake_case__ __init__ camelCase HTTPServer XMLHttpRequest", "𝒳𝔘 𐍈 𠜎", "\U0010ffff\ue000",
    "A" * 300, " " * 300, "\n" * 300, "ab" * 200, "1" * 100, "!" * 100, "é" * 100,
]


def random_texts(seed):
    generator = random.Random(seed)
    ranges = [(0x20, 0x7E), (0x20, 0x7E), (0x9, 0xD), (0x80, 0x24F), (0x300, 0x36F), (0x370, 0x52F),
              (0x590, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x2000, 0x206F),
              (0x2070, 0x27BF), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3),
              (0xFB00, 0xFB4F), (0xFF00, 0xFFEF), (0x1D400, 0x1D7FF), (0x1F300, 0x1F64F)]
    pieces = [text for text in TRICKY if 0 < len(text) < 40] + [" ", "  ", "\n", "'s", "1", "12"]
    for _ in range(RANDOM_TEXTS):
        parts = []
        for _ in range(generator.randrange(1, 25)):
            if generator.random() < 0.5:
                parts.append(generator.choice(pieces))
                continue
            low, high = generator.choice(ranges)
            parts += [character for character in (
                chr(generator.randint(low, high)) for _ in range(generator.randrange(1, 5)))
                # Which later Unicode versions assign, libraries of other years class otherwise.
                if unicodedata.category(character) != "Cn"]
        yield "".join(parts)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A function from a model and texts to libllama's tokens."""
    program = tmp_path_factory.mktemp("reference") / "tokenize"
    source = os.path.join(os.path.dirname(__file__), "reference", "tokenize.c")
    subprocess.run(
        ["gcc", "-std=c11", "-O2", "-Wall", "-Werror", f"-I{PREFIX}/include", source, "-o", program,
         f"-L{PREFIX}/lib", "-lllama", "-lggml", "-lggml-base", f"-Wl,-rpath,{PREFIX}/lib"],
        check=True)

    def tokens(model, texts):
        encoded = [text.encode() for text in texts]
        done = subprocess.run(
            [program, model], check=True, stdout=subprocess.PIPE,
            input=b"".join(struct.pack("<Q", len(text)) + text for text in encoded))
        return [[int(token) for token in line.split()] for line in done.stdout.decode().split("\n")]

    return tokens


class Worker:
    def __init__(self, model, *arguments):
        self.process = subprocess.Popen(
            [BINARY, "worker", "--model", model, "--listen", "127.0.0.1:0", "--slots", "1",
             "--context", "512", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.address = re.search(rb"127\.0\.0\.1:\d+", self.process.stdout.readline())[0].decode()

    def bundle(self):
        """The archive, checked against its fingerprint."""
        with grpc.insecure_channel(self.address) as channel:
            stub = vllm_engine_pb2_grpc.VllmEngineStub(channel)
            chunks = list(stub.GetTokenizer(common_pb2.GetTokenizerRequest(), timeout=120))
        data = b"".join(chunk.data for chunk in chunks)
        assert hashlib.sha256(data).hexdigest() == chunks[-1].sha256
        assert not any(chunk.sha256 for chunk in chunks[:-1])
        return data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def byte_letters():
    """GPT-2's letter for each byte."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return {byte: chr(byte) if byte in plain else chr(next(others)) for byte in range(256)}


def make_dense(file):
    """Merges of all pairs of bytes that UTF-8 has, of the commonest fours, and words that no merge
    makes, in a vocabulary as large as before."""
    letters = byte_letters()
    types = file.integers("tokenizer.ggml.token_type")
    special = [token for token, kind in zip(file.strings("tokenizer.ggml.tokens"), types)
               if kind == 3]
    size = len(types)
    ascii_bytes, later, leads = [*range(0x20, 0x7F), 0, 9, 10, 13], range(0x80, 0xC0), range(
        0xC2, 0xF5)
    pairs = [*itertools.product(ascii_bytes, ascii_bytes), *itertools.product(leads, later),
             *itertools.product(later, later), *itertools.product(later, leads),
             *itertools.product(later, ascii_bytes), *itertools.product(ascii_bytes, leads)]
    random.Random(7).shuffle(pairs)
    merges = [(letters[a], letters[b]) for a, b in pairs]
    corpus = "\n".join(itertools.chain(TRICKY, random_texts(1))).encode()
    spelled = "".join(letters[byte] for byte in corpus)
    known = {a + b for a, b in merges}
    fours = collections.Counter(spelled[i:i + 4] for i in range(len(spelled) - 3))
    merges += [(four[:2], four[2:]) for four, _ in fours.most_common(8_000)
               if four[:2] in known and four[2:] in known]
    # A token of its own, which only tokenizers that ignore merges find.
    words = [text for text, _ in collections.Counter(
        letters[32] + word for word in re.findall(r"[A-Za-z]{4,}", corpus.decode())
    ).most_common(500)]
    tokens = [*special, *letters.values(), *(a + b for a, b in merges), *words]
    tokens = list(dict.fromkeys(tokens))
    assert len(tokens) <= size
    kinds = [3] * len(special) + [1] * (len(tokens) - len(special))
    unused = size - len(tokens)
    file.set_strings("tokenizer.ggml.tokens",
                     tokens + [f"[UNUSED{index}]" for index in range(unused)])
    file.set_integers("tokenizer.ggml.token_type", kinds + [5] * unused)
    file.set_strings("tokenizer.ggml.merges", [f"{a} {b}" for a, b in dict.fromkeys(merges)])


def copy_with_pre(name, folder, tensors=True):
    file = GGUF(MODEL)
    if name != "smollm":
        make_dense(file)
    file.set_string("tokenizer.ggml.pre", name.removeprefix("dense-"))
    return file.write(str(folder / f"{name}.gguf"), tensors)


@pytest.mark.parametrize("family", ["smollm", *FAMILIES])
def test_tokens_are_libllamas(family, reference, tmp_path):
    model = copy_with_pre(family, tmp_path)
    with Worker(model) as worker:
        archive = zipfile.ZipFile(io.BytesIO(worker.bundle()))
    assert archive.testzip() is None
    tokenizer = Tokenizer.from_str(archive.read("tokenizer.json").decode())
    texts = TRICKY + list(random_texts(SEED))
    expected = reference(model, texts)
    different = []
    for text, tokens in zip(texts, expected):
        found = tokenizer.encode(text, add_special_tokens=False).ids
        if found != tokens:
            different.append((text, found, tokens))
        # Bytes that the vocabulary lacks have no token in either.
        elif len(found) == len(tokens) and "\ufffd" not in text:
            decoded = tokenizer.decode(found, skip_special_tokens=False)
            assert decoded == text or not spells(tokenizer, text), repr(text)
    assert not different, f"{len(different)} of {len(texts)} (SEED={SEED}): {different[:3]}"


def test_the_texts_tell_the_families_apart(reference, tmp_path):
    found = {str(reference(copy_with_pre(family, tmp_path, tensors=False), TRICKY))
             for family in FAMILIES}
    assert len(found) == len(FAMILIES)


def spells(tokenizer, text):
    """Whether the vocabulary has all bytes of the text."""
    return all(tokenizer.decode(tokenizer.encode(character, add_special_tokens=False).ids,
                                skip_special_tokens=False) == character for character in set(text))


def test_the_bundle_is_made_once_and_the_same_everywhere(tmp_path):
    with Worker(MODEL) as first, Worker(MODEL) as second:
        assert first.bundle() == first.bundle() == second.bundle()


def test_the_other_files_say_what_a_gateway_needs():
    with Worker(MODEL) as worker:
        archive = zipfile.ZipFile(io.BytesIO(worker.bundle()))
    assert sorted(archive.namelist()) == ["config.json", "tokenizer.json", "tokenizer_config.json"]
    settings = json.loads(archive.read("tokenizer_config.json"))
    assert "<|im_start|>" in settings["chat_template"] and settings["eos_token"] == "<|im_end|>"
    config = json.loads(archive.read("config.json"))
    assert config["eos_token_id"] == [0, 2, 4] and config["vocab_size"] == 49152


def refusal(*arguments, model=MODEL):
    with Worker(model, *arguments) as worker, pytest.raises(grpc.RpcError) as raised:
        worker.bundle()
    return raised.value


def test_unknown_pre_tokenizers_are_refused_by_name(tmp_path):
    error = refusal(model=copy_with_pre("viking", tmp_path))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "'viking'" in error.details()


def test_the_simulated_engine_has_no_tokenizer():
    error = refusal("--engine", "simulated")
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "simulated" in error.details()
