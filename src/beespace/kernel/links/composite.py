"""One program at many places, each with a link of its own: attached all or not at all, detached together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from beespace.kernel.links.link import Attachable, Link

__all__ = ["CompositeLink", "attach_all"]


class CompositeLink(Link):
    """The links in :attr:`parts`.  Closing it closes all of them, the last first; so does detaching."""

    def __init__(self, program: Attachable, parts: Sequence[Link], *, via: str = "", tried: Sequence[str] = ()) -> None:
        super().__init__(program, is_link=False, via=via, tried=tried)
        self.parts = tuple(parts)
        self.stays = next((part.stays for part in parts if part.stays), "")

    def close(self) -> None:
        """Detach the program from all places.  Calling it again does nothing."""
        with ExitStack() as undo:
            undo.callback(super().close)
            for part in self.parts:
                undo.callback(part.close)

    def __len__(self) -> int:
        return len(self.parts)


def attach_all(program: Attachable, links: Iterable[Link], *, via: str = "") -> CompositeLink:
    """A composite of what ``links`` yields; if one fails, those before it are detached again."""
    with ExitStack() as undo:
        parts = [undo.enter_context(link) for link in links]
        undo.pop_all()
    notes = dict.fromkeys(reason for part in parts for reason in part.tried)
    return CompositeLink(program, parts, via=via, tried=tuple(notes))
