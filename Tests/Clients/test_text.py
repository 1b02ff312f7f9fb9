"""Text on its way out: code points and stop strings that tokens cut anywhere, on every face."""

import pytest
from faces import FACES

# A family, a flag, a skin tone and a keycap (joiners, variation selectors, modifiers), letters of
# one to four bytes, and marks that combine.
TEXTS = {
    "cjk": "日本語の文、漢字カナ交じり。",
    "emoji": "a👩‍👩‍👧‍👦🏳️‍🌈👍🏽7️⃣🇯🇵z",
    "combining": "e\u0301a\u0308o\u0302\u0323Z\u0351\u036b\u0343 ё й",
    "mixed": "ab é 日 😀\n\t\u00a0한글 ᄒ\u1161ᆫ",
}


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)
@pytest.mark.parametrize("kind", TEXTS)
def test_text_is_the_same_wherever_tokens_cut_it(scripted, face, kind):
    """Two messages cut at every byte, then one for each byte: no code point may come in parts."""
    text = TEXTS[kind]
    data = text.encode()
    ids = scripted.vocabulary.bytes(data)
    cuts = [[ids[:cut], ids[cut:]] for cut in range(1, len(ids))] + [[[each] for each in ids]]
    for number, messages in enumerate(cuts):
        name = f"cut-{kind}-{number:03}"
        scripted.play(name, messages)
        streamed = face.ask(scripted.client, f"script={name};", stream=True)
        assert streamed.error is None
        assert streamed.text == text, number
        # Nothing waits for longer than its code point needs, but what may begin a stop string:
        # /v1/complete has one of its own, "\n\nHuman:".
        if len(messages) == len(ids) and not (face.name == "complete" and "\n" in text):
            assert streamed.deltas == list(text)
    for number in (0, len(cuts) // 2, len(cuts) - 1):
        whole = face.ask(scripted.client, f"script=cut-{kind}-{number:03};")
        assert whole.said() == streamed.said()
        assert whole.usage == streamed.usage


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)
@pytest.mark.parametrize("kind", TEXTS)
def test_only_a_true_cut_gives_a_replacement_character(scripted, face, kind):
    """Ended by the token limit after each byte: what is left of a code point is one U+FFFD."""
    data = TEXTS[kind].encode()
    name = f"whole-{kind}"
    scripted.play(name, [[each] for each in scripted.vocabulary.bytes(data)])
    for limit in range(1, len(data)):
        expected = data[:limit].decode(errors="replace")
        for stream in (True, False):
            answer = face.ask(scripted.client, f"script={name};", stream=stream, max_tokens=limit)
            assert answer.finish == "length"
            assert answer.text == expected, (limit, stream)


# What the model says, the stop string in it, and how the text is cut into messages.
STOPS = [
    ("Roses are red, END violets are blue", "END"),
    ("one\n\ntwo\n\nthree", "\n\n"),
    ("aaaaaab and so on", "aab"),
    ("ab ab ab abc ab", "abc"),
    ("前半。後半", "。"),
    ("wait 👩‍👩‍👧 here", "👩‍👧"),
    ("the last word is stop", "stop"),
    ("Human: first of all", "Human:"),
]


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)
@pytest.mark.parametrize("text, stop", STOPS, ids=range(len(STOPS)))
def test_no_part_of_a_stop_string_leaks(scripted, face, text, stop):
    """Cut before each byte of the stop string, and at each byte of the text."""
    data = text.encode()
    ids = scripted.vocabulary.bytes(data)
    expected = text[:text.index(stop)]
    first = len(expected.encode())
    last = min(first + len(stop.encode()), len(ids) - 1)
    cuts = [[ids[:cut], ids[cut:]] for cut in range(max(1, first), last + 1)]
    cuts.append([[each] for each in ids])
    for number, messages in enumerate(cuts):
        name = f"stop-{STOPS.index((text, stop))}-{number}"
        script = scripted.play(name, messages)
        for stream in (True, False):
            answer = face.ask(scripted.client, f"script={name};", stream=stream,
                              stop=["never said", stop])
            assert answer.error is None, answer.error
            assert answer.text == expected, (number, stream)
            assert answer.finish == "stop"
            assert answer.stop_string in (None, stop)
        # The engine never heard of them: they span its tokens.
        assert all(not request.sampling_params.stop for request in script.requests)


# Texts that end in what might have become a stop string.
ENDINGS = [
    ("Roses are red, EN", "END"), ("aaaa", "aaaab"), ("one\n", "\n\n"), ("x 👩‍", "👩‍👧"),
    ("ab", "abc"), ("nothing at all", "zzz"),
]


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)
def test_what_was_held_back_comes_at_the_end(scripted, face):
    for number, (text, stop) in enumerate(ENDINGS):
        ids = scripted.vocabulary.bytes(text.encode())
        for reason in ("stop", "length"):
            scripted.play(f"held-{number}-{reason}", [[each] for each in ids], reason=reason)
            for stream in (True, False):
                answer = face.ask(scripted.client, f"script=held-{number}-{reason};",
                                  stream=stream, stop=[stop])
                assert (answer.text, answer.finish) == (text, reason), (stop, stream)
