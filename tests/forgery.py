"""Contents with a wanted xxh64: what anybody can make who may write to a bucket.

xxh64 is arithmetic that can be undone. The last lane of eight bytes of a content is solved for the
digest that is wanted; the algorithm is that of xxHash's specification, `doc/xxhash_spec.md` there.
"""

from __future__ import annotations

import struct

import xxhash

_MASK = (1 << 64) - 1
_P1, _P2, _P3, _P4, _P5 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)
_STRIPE, _LANE = 32, 8


def forge(like: bytes, start: bytes) -> bytes:
    """Make a content that begins with *start*, and has the length and the xxh64 of *like*.

    The length must leave eight bytes or more after whole stripes of 32.
    """
    size, rest = len(like), len(like) % _STRIPE
    if rest < _LANE:
        raise ValueError("there is no lane to solve: choose another length")
    at = size - rest + (rest // _LANE - 1) * _LANE  # where the last lane begins
    if len(start) > at:
        raise ValueError("the start leaves no room")
    before, after = start.ljust(at, b"."), b"." * (size - at - _LANE)
    wanted = _undo_end(xxhash.xxh64_intdigest(like), after)
    lane = _undo_step(wanted, _state(before, size))
    made = before + struct.pack("<Q", lane) + after
    assert xxhash.xxh64_digest(made) == xxhash.xxh64_digest(like)
    return made


def _state(data: bytes, size: int) -> int:
    """Take in *data*, whole lanes that begin a content of *size* bytes."""
    ends = 0
    if size >= _STRIPE:
        ends = size - size % _STRIPE
        lanes = [(_P1 + _P2) & _MASK, _P2, 0, -_P1 & _MASK]
        for place in range(0, ends, _STRIPE):
            for number, word in enumerate(struct.unpack_from("<4Q", data, place)):
                lanes[number] = _round(lanes[number], word)
        state = sum(_left(lane, turn) for lane, turn in zip(lanes, (1, 7, 12, 18), strict=True))
        for lane in lanes:
            state = ((state ^ _round(0, lane)) * _P1 + _P4) & _MASK
    else:
        state = _P5
    state = (state + size) & _MASK
    for place in range(ends, len(data), _LANE):
        (word,) = struct.unpack_from("<Q", data, place)
        state = (_left(state ^ _round(0, word), 27) * _P1 + _P4) & _MASK
    return state


def _undo_end(digest: int, after: bytes) -> int:
    """Undo the avalanche and the bytes *after* the last lane."""
    state = _undo_shift(digest, 32)
    state = _undo_shift(state * _inverse(_P3) & _MASK, 29)
    state = _undo_shift(state * _inverse(_P2) & _MASK, 33)
    words, single = after[: len(after) // 4 * 4], after[len(after) // 4 * 4 :]
    for byte in reversed(single):
        state = _right(state * _inverse(_P1) & _MASK, 11) ^ (byte * _P5 & _MASK)
    for (word,) in reversed(list(struct.iter_unpack("<I", words))):
        state = _right((state - _P3) * _inverse(_P2) & _MASK, 23) ^ (word * _P1 & _MASK)
    return state


def _undo_step(after: int, before: int) -> int:
    """Find the lane that leads from one state to the other."""
    mixed = _right((after - _P4) * _inverse(_P1) & _MASK, 27) ^ before
    return _right(mixed * _inverse(_P1) & _MASK, 31) * _inverse(_P2) & _MASK


def _round(lane: int, word: int) -> int:
    return _left((lane + word * _P2) & _MASK, 31) * _P1 & _MASK


def _undo_shift(value: int, by: int) -> int:
    found = value
    for _ in range(64 // by + 1):
        found = value ^ (found >> by)
    return found


def _inverse(prime: int) -> int:
    return pow(prime, -1, 1 << 64)


def _left(value: int, by: int) -> int:
    value &= _MASK
    return (value << by | value >> (64 - by)) & _MASK


def _right(value: int, by: int) -> int:
    return _left(value, 64 - by)
