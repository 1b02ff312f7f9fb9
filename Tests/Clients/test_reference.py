"""Greedy answers, token for token, against a plain driver on libllama (reference/reference.c).

Which tokens a model gives depends on which kernels compute it and how they cut their sums. So the
server runs with fixed chunks and no prefix reuse, one request at a time, and the driver repeats
exactly that.

Against a prompt in one chunk the same holds, since no chunk is under 64 tokens that could be more:
from 64 on llama.cpp's flash attention for CPUs takes its tiled kernel (GGML_FA_TILE_Q; sums in
single precision), below that one for single rows (sums in half precision), of which a quantized
model, which rounds its activations in each layer, would make a few tenths of a logit.
"""

import json
import os
import subprocess
from collections import namedtuple

import httpx
import pytest
from conftest import MODEL, body, events

PREFIX = os.environ["SWITCHYARD_LLAMA_PREFIX"]
SOURCE = os.path.join(os.path.dirname(__file__), "reference", "reference.c")

TOKENS = 48
CHUNK = 64
THREADS = 2
SLOTS = 4
CONTEXT = 8192
# What the worker makes of four slots: WorkerDefaults.batchTokens and .sequences, with a share of
# the context for each sequence and one to spare.
BATCH = 512
SEQUENCES = 7
# SchedulerConfiguration.prefillTailTokensMin.
TAIL = 64
# Where answers part, the two best tokens were as close as this.
CLOSE_GAP = 0.01

# What the model's own template says when a conversation has no system message.
DEFAULT_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"

Conversation = namedtuple("Conversation", "system user")

CODE = '''\
def merge(left, right):
    """Merge two sorted lists."""
    result, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            result.append(left[i]); i += 1
        else:
            result.append(right[j]); j += 1
    return result + left[i:] + right[j:]
'''

SPARROW = (
    "A sparrow lived in the roof of an old mill. Each morning it flew to the river, drank, and "
    "counted the boats: {} of them today, and the miller waved from the {} one. In the evening it "
    "told the other birds what it had seen, and they argued about it until the moon rose. ")

CONVERSATIONS = [
    Conversation(None, "Say hello."),
    Conversation(None, "What is the capital of France?"),
    Conversation("You answer in one short sentence.", "Why is the sky blue?"),
    Conversation(None, "日本の首都はどこですか？そこで何を食べるべきですか？"),
    Conversation(None, "请用三句话介绍一下长城，然后翻译成英文。"),
    Conversation("당신은 친절한 도우미입니다.", "한국어로 가을에 대한 짧은 시를 써 주세요."),
    Conversation(None, "Emoji only, please: 👩‍👩‍👧‍👦 🏳️‍🌈 👨🏽‍🚀 🇯🇵 ❤️‍🔥"),
    Conversation("Answer with emoji 🙂.", "How was your day? 🌧️☔️➡️🌈"),
    Conversation(None, "Combine: e\u0301 a\u0308 o\u0302\u0323 n\u0303 Z\u0351\u036b\u0343\u034d"),
    Conversation(None, "Что такое ёжик? Ответь по-русски, коротко."),
    Conversation(None, "اكتب جملة واحدة عن البحر."),
    Conversation(None, "What does this do?\n```c\nfor (int i = 0; i < n; i++)\n\ts += a[i];\n```"),
    Conversation("You review code.", f"Find the bug, if any:\n\n```python\n{CODE}```\n" * 2),
    Conversation(None, "Write JSON with the keys \"name\", \"tags\" and \"größe\". Only JSON."),
    Conversation(None, "Count from one to thirty, in words, with commas.\r\n\r\n  \tGo   on!\u00a0"),
    Conversation(None, "Solve: ∫₀¹ x² dx = ? and ∑ 1/n² ≈ ?"),
    # Several chunks each.
    Conversation(None, "Summarize this story.\n\n"
                 + "".join(SPARROW.format(n, n // 2 + 1) for n in range(2, 8))),
    Conversation("You are a careful editor.", "How many boats were there?\n"
                 + "".join(SPARROW.format(n * n, n) for n in range(3, 7))),
    Conversation(None, "次の文章を要約してください。\n"
                 + "昔々、ある所にお爺さんとお婆さんが住んでいました。" * 8),
    Conversation(None, "Which of these is prime? "
                 + ", ".join(str(7 * n + 1) for n in range(90)) + "."),
]

Answer = namedtuple("Answer", "text tokens finish usage")


@pytest.fixture(scope="module")
def server(launch_module):
    return launch_module(
        "--model-name", "smollm2", "--slots", str(SLOTS), "--threads", str(THREADS),
        "--context", str(CONTEXT), "--worker-argument=--prefill-chunk",
        f"--worker-argument={CHUNK}", "--worker-argument=--no-prefix-reuse").wait_ready()


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Runs the driver: chunk size in, an answer for each conversation out."""
    folder = tmp_path_factory.mktemp("reference")
    program = folder / "reference"
    subprocess.run(
        [os.environ.get("CC", "gcc"), "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", SOURCE,
         "-o", program, f"-I{PREFIX}/include", f"-L{PREFIX}/lib", "-lllama", "-lggml",
         "-lggml-base", "-lggml-cpu", "-lm", f"-Wl,-rpath,{PREFIX}/lib"],
        check=True)
    files = []
    for number, conversation in enumerate(CONVERSATIONS):
        file = folder / f"{number}"
        system = DEFAULT_SYSTEM if conversation.system is None else conversation.system
        file.write_bytes(system.encode() + b"\0" + conversation.user.encode())
        files.append(file)

    def run(chunk):
        settings = [CONTEXT // SLOTS * SEQUENCES, max(chunk + TAIL, BATCH), SEQUENCES, THREADS,
                    chunk, TAIL, TOKENS]
        done = subprocess.run(
            [program, MODEL, *map(str, settings), *files], check=True, stdout=subprocess.PIPE,
            timeout=600)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture(scope="module")
def same_chunks(reference):
    return reference(CHUNK)


@pytest.fixture(scope="module")
def answers(server):
    """What the server says to each conversation, all at once and as a stream."""
    with httpx.Client(base_url=server.url, timeout=600) as client:
        return [(whole(client, request), streamed(client, request))
                for request in map(request_for, CONVERSATIONS)]


def request_for(conversation):
    request = body(conversation.user, max_tokens=TOKENS, logprobs=True)
    if conversation.system is not None:
        request["messages"].insert(0, {"role": "system", "content": conversation.system})
    return request


def whole(client, request):
    response = client.post("/v1/chat/completions", json=request)
    assert response.status_code == 200, response.text
    answer = response.json()
    choice, = answer["choices"]
    return Answer(choice["message"]["content"], choice["logprobs"]["content"],
                  choice["finish_reason"], answer["usage"])


def streamed(client, request):
    text, tokens, finish, usage = "", [], None, None
    request = {**request, "stream": True, "stream_options": {"include_usage": True}}
    with client.stream("POST", "/v1/chat/completions", json=request) as response:
        assert response.status_code == 200
        for event in events(response.iter_lines()):
            usage = event.get("usage") or usage
            for choice in event["choices"]:
                text += choice["delta"].get("content") or ""
                tokens += (choice.get("logprobs") or {}).get("content") or []
                finish = choice["finish_reason"] or finish
    return Answer(text, tokens, finish, usage)


def spoken(expected):
    """The driver's tokens without the one that ended the answer."""
    return expected["tokens"][:-1] if expected["ended"] else expected["tokens"]


@pytest.mark.parametrize("index", range(len(CONVERSATIONS)))
def test_tokens_equal_the_reference_at_the_same_chunk_boundaries(answers, same_chunks, index):
    answer, expected = answers[index][0], same_chunks[index]
    assert answer.usage["prompt_tokens"] == expected["prompt_tokens"]
    # The token that ends an answer is generated, and counted, but not part of the text.
    assert answer.usage["completion_tokens"] == len(expected["tokens"])
    assert answer.finish == ("stop" if expected["ended"] else "length")
    tokens = [bytes(token["bytes"]).hex() for token in answer.tokens]
    assert tokens == [token["bytes"] for token in spoken(expected)]
    # Different tokens may have the same bytes, but not the same probability.
    assert [token["logprob"] for token in answer.tokens] == pytest.approx(
        [token["logprob"] for token in spoken(expected)], abs=1e-4)
    everything = b"".join(bytes(token["bytes"]) for token in answer.tokens)
    assert answer.text == everything.decode(errors="replace")


@pytest.mark.parametrize("index", range(len(CONVERSATIONS)))
def test_streamed_text_equals_unstreamed_text(answers, index):
    unstreamed, stream = answers[index]
    assert stream.text == unstreamed.text
    assert stream.tokens == unstreamed.tokens
    assert stream.finish == unstreamed.finish
    assert stream.usage == unstreamed.usage


def test_prompts_make_several_chunks(same_chunks):
    lengths = [expected["prompt_tokens"] for expected in same_chunks]
    assert sum(length > 3 * CHUNK for length in lengths) >= 4
    assert any(length % CHUNK for length in lengths)


def test_one_chunk_differs_only_where_tokens_are_close(reference, same_chunks, capsys):
    single = reference(max(answer["prompt_tokens"] for answer in same_chunks))
    found = []
    for index, both in enumerate(zip(same_chunks, single)):
        ids = [[token["id"] for token in answer["tokens"]] for answer in both]
        if ids[0] != ids[1]:
            place = len(os.path.commonprefix(ids))
            found.append((index, place, *(answer["tokens"][place]["gap"] for answer in both)))
    with capsys.disabled():
        print(f"\nchunks of {CHUNK} against one: "
              f"{len(single) - len(found)} of {len(single)} answers equal")
        for index, place, *gaps in found:
            print(f"  conversation {index} ({single[index]['prompt_tokens']} tokens), "
                  f"token {place}: gap {gaps[0]:.4f} in chunks, {gaps[1]:.4f} in one")
    assert all(max(gaps) < CLOSE_GAP for _, _, *gaps in found)
