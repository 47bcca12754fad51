"""What host and agent say to each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from beespace.guest.frames import Frames, frame, run_payload

FRAME = st.tuples(st.sampled_from([b"H", b"O", b"E", b"L", b"S"]), st.binary(max_size=300))


@given(st.lists(FRAME, max_size=8), st.integers(1, 50))
def test_frames_survive_any_cut(sent: list[tuple[bytes, bytes]], step: int) -> None:
    stream = b"".join(frame(kind, payload) for kind, payload in sent)
    frames = Frames()
    got = [each for at in range(0, len(stream), step) for each in frames.feed(stream[at : at + step])]
    assert got == sent


def test_a_command_is_folder_words_and_environment() -> None:
    payload = run_payload(["sh", "-c", "echo a b"], "/tmp", {"A": "1=2", "B": ""})
    assert payload.split(b"\0") == [b"/tmp", b"3", b"sh", b"-c", b"echo a b", b"A=1=2", b"B="]
