"""What programs may return, by hook: the ranges that the verifier checks (check_return_code in kernel/bpf/verifier.c).

Where it takes anything although the hook knows few values, :data:`VERDICTS` has those: for numbers that are
written out, which nobody means otherwise.
"""

from __future__ import annotations

from beespace.hooks.hook import Hook

__all__ = ["VERDICTS", "result_range", "written_range"]

_MAX_ERRNO = 4095
_OTHERS = None

# (program type, attach type; None: all others of the type) -> the smallest and the largest.
RANGES: dict[tuple[int, int | None], tuple[int, int]] = {
    (2, 56): (0, 1),  # kprobe.session
    (2, 57): (0, 1),  # uprobe.session
    (8, 0): (0, 1),  # cgroup_skb/ingress
    (8, 1): (0, 3),  # cgroup_skb/egress
    (9, _OTHERS): (0, 1),
    (13, _OTHERS): (0, 1),
    (15, _OTHERS): (0, 1),
    (18, 8): (0, 3),  # bind4
    (18, 9): (0, 3),  # bind6
    **{(18, attach): (1, 1) for attach in (19, 20, 51, 29, 30, 52, 31, 32, 53)},  # recvmsg, getpeername, getsockname
    (18, _OTHERS): (0, 1),
    (23, _OTHERS): (0, 1),
    (25, _OTHERS): (0, 1),
    (26, 24): (0, 0),  # fentry
    (26, 25): (0, 0),  # fexit
    (26, 28): (0, 1),  # iterators
    (26, 58): (0, 0),  # fsession
    (29, 43): (0, 1),  # lsm_cgroup
    (30, _OTHERS): (0, 1),
    (32, _OTHERS): (0, 1),
}

# Program type -> what the hook knows.
VERDICTS: dict[int, tuple[int, int]] = {
    3: (-1, 8),  # TC_ACT_UNSPEC to TC_ACT_TRAP
    4: (-1, 8),
    6: (0, 4),  # XDP_ABORTED to XDP_REDIRECT
    14: (0, 1),  # sk_skb; a stream parser returns a length
    16: (0, 1),  # sk_msg
    21: (0, 1),  # sk_reuseport
    29: (-_MAX_ERRNO, 0),  # lsm; checked since Linux 6.12, some hooks take less
}
_STREAM_PARSER = 4


def result_range(hook: Hook) -> tuple[int, int] | None:
    """The smallest and largest number that a program of this hook may return; ``None``: any."""
    return RANGES.get((hook.program_type, hook.attach_type), RANGES.get((hook.program_type, None)))


def written_range(hook: Hook) -> tuple[int, int] | None:
    """The same for a number that is written out."""
    if hook.program_type == 14 and hook.attach_type in (0, _STREAM_PARSER):
        return None
    return result_range(hook) or VERDICTS.get(hook.program_type)
