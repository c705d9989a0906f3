"""From a good file to a bad one: blind edits of bytes, and edits that know the format around them.

The blind ones mostly break a checksum at the door; the others get behind it.
"""

from __future__ import annotations

import io
import json
import pickle
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any

PNG = b"\x89PNG\r\n\x1a\n"
SIZES = (0, 1, 2, 255, 256, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63, -1)
NUMBERS = ("0", "-1", "1e999", "-1e999", "nan", "inf", "99999999999999999999", "0.5", "2147483648")
NAMES = (
    "../outside.txt",
    "../../../../outside.txt",
    "/outside.txt",
    "C:\\outside.txt",
    "a\\..\\..\\outside.txt",
    "con",
    "a:b",
    "",
    ".",
    "..",
    "x" * 5000,
    "\u202etxt.exe",
    "a\nb",
    "a\0b",
    "\ud800",
)
WORDS = (b"nan", b"null", b"true", b"[]", b"{}", b'""', b"\0", b"\xff\xfe", b"%s%n", b"\n", b"'''")
DEEP = 20_000  # brackets in brackets
BOMB = 1 << 30  # bytes that unpack from a megabyte
SMALL = 1 << 24  # bytes: more is a bomb of an earlier edit

# -- any bytes ------------------------------------------------------------------------------------


def mutate(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """One to four edits. others: more files of the kind, to take pieces from."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        knowing = _knowing(data)
        if knowing and rng.random() < 0.75:
            data = knowing(data, rng)
        else:
            data = rng.choice(BLIND)(data, rng, others)
    return data


def _knowing(data: bytes) -> Callable[[bytes, Random], bytes] | None:
    if data.startswith(PNG):
        return mutate_png
    if data.startswith(b"PK"):
        return mutate_zip
    if data[:1] in (b"{", b"["):
        return mutate_json
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data):
        return mutate_safetensors
    if b"\0" not in data:
        return mutate_text
    return None


def _flip(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    return data[: _place(data, rng)]


def _remove(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + rng.choice((1, 2, 4, 8, 64, 1024)) :]


def _repeat(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    at, length = _place(data, rng), rng.choice((1, 4, 16, 256))
    return data[:at] + data[at : at + length] * rng.choice((2, 3, 100)) + data[at + length :]


def _insert(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.choice((rng.randbytes(4), rng.choice(WORDS))) + data[at:]


def _number(data: bytes, rng: Random, _: Sequence[bytes]) -> bytes:
    """Another length, count or offset, in one of the widths and orders that formats have."""
    width, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
    value = rng.choice((*SIZES, len(data), len(data) + 1)) % (1 << 8 * width)
    at = rng.choice((_place(data, rng), min(len(data), rng.randrange(64))))
    return data[:at] + value.to_bytes(width, order) + data[at + width :]


def _splice(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def _place(data: bytes, rng: Random) -> int:
    return rng.randrange(len(data) + 1)


BLIND = (_flip, _flip, _cut, _remove, _repeat, _insert, _number, _number, _splice)

# -- text and JSON --------------------------------------------------------------------------------


def mutate_text(data: bytes, rng: Random) -> bytes:
    """Lines lost, doubled and swapped; numbers and quoted words replaced."""
    lines = data.split(b"\n")
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(7):
        case 0:
            del lines[at]
        case 1:
            lines.insert(other, lines[at])
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
        case 3:
            return _replaced(rb"-?\d+(\.\d+)?", data, rng.choice(NUMBERS).encode(), rng)
        case 4:
            name = rng.choice(NAMES).encode("utf-8", "surrogatepass")
            return _replaced(rb'"[^"\n]*"', data, b'"' + name + b'"', rng)
        case 5:
            lines[at] = lines[at].partition(b"=")[0] + b"= " + rng.choice(WORDS)
        case _:
            lines[at] += b"[" * rng.choice((1, DEEP))
    return b"\n".join(lines)


def _replaced(pattern: bytes, data: bytes, new: bytes, rng: Random) -> bytes:
    found = list(re.finditer(pattern, data))
    if not found:
        return data + new
    one = rng.choice(found)
    return data[: one.start()] + new + data[one.end() :]


def mutate_json(data: bytes, rng: Random) -> bytes:
    """Another value, type or name somewhere in the tree."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return mutate_text(data, rng)
    for _ in range(rng.choice((1, 1, 2, 4))):
        tree = mutate_tree(tree, rng)
    try:
        text = json.dumps(tree)
    except RecursionError:
        return b"[" * DEEP
    if rng.random() < 0.03:
        text = text.replace("1", "[" * DEEP, 1)
    return text.encode()


def mutate_tree(tree: Any, rng: Random) -> Any:
    """Plain data with one change, at a depth by chance."""
    inside = list(tree) if isinstance(tree, dict) else range(len(tree)) if _listed(tree) else ()
    if not inside or rng.random() < 0.15:
        return _other_value(tree, rng)
    key = rng.choice(list(inside))
    changed = dict(tree) if isinstance(tree, dict) else list(tree)
    choice = rng.random()
    if choice < 0.1:
        del changed[key]
    elif choice < 0.2 and isinstance(changed, dict):
        changed[rng.choice(NAMES)] = changed.pop(key)
    elif choice < 0.25 and isinstance(changed, list):
        changed += changed[-1:] * rng.choice((1, 300))
    else:
        changed[key] = mutate_tree(changed[key], rng)
    return changed


def _listed(tree: Any) -> bool:
    return isinstance(tree, list) and bool(tree)


def _other_value(value: Any, rng: Random) -> Any:
    kinds: list[Any] = [None, True, False, [], {}, "", [value], {"a": value}, [[1]], "x" * 3000]
    kinds += [0, -1, 0.5, 1e308, float("nan"), float("inf"), 10**30, *SIZES, *NAMES]
    if isinstance(value, int | float) and rng.random() < 0.5:
        return value * rng.choice((-1, 0, 2, 1000, 10**6, 0.5))
    return rng.choice(kinds)


# -- PNG ------------------------------------------------------------------------------------------


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """(kind, content) of each chunk, as far as the file is whole."""
    found, at = [], len(PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def png_of(chunks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The file of these chunks, every checksum right."""
    parts = [PNG]
    for kind, content in chunks:
        check = zlib.crc32(kind + content)
        parts += [struct.pack(">I", len(content)), kind, content, struct.pack(">I", check)]
    return b"".join(parts)


def mutate_png(data: bytes, rng: Random) -> bytes:
    """A chunk changed, lost, doubled or moved, with its checksum right."""
    chunks = png_chunks(data)
    if not chunks:
        return _flip(data, rng, ())
    at = rng.randrange(len(chunks))
    kind, content = chunks[at]
    match rng.randrange(9):
        case 0:
            del chunks[at]
        case 1:
            chunks.insert(rng.randrange(len(chunks)), chunks[at])
        case 2:
            chunks.insert(1, (b"zTXt", b"sdm-studio:recipe\0\0" + text_bomb()))
        case 3:
            chunks[0] = (
                b"IHDR",
                _number(chunks[0][1].ljust(13, b"\0")[:8], rng, ()) + chunks[0][1][8:],
            )
        case 4:
            chunks[0] = b"IHDR", _flip(chunks[0][1], rng, ())
        case 5 if b"IDAT" in dict(chunks):
            pixels = mutate_packed(dict(chunks)[b"IDAT"], rng)
            chunks = [(k, pixels if k == b"IDAT" else c) for k, c in chunks]
        case 6:
            texts = [n for n, (k, _) in enumerate(chunks) if k in (b"tEXt", b"iTXt", b"zTXt")]
            if texts:
                at = rng.choice(texts)
                chunks[at] = chunks[at][0], _mutate_chunk_text(*chunks[at], rng)
        case 7:
            chunks[at] = bytes(rng.randbytes(4)), content
        case _:
            chunks[at] = kind, rng.choice(BLIND[:-1])(content, rng, ())
    return png_of(chunks)


def _mutate_chunk_text(kind: bytes, content: bytes, rng: Random) -> bytes:
    key, _, text = content.partition(b"\0")
    if kind == b"zTXt":
        return key + b"\0\0" + mutate_packed(text[1:], rng)
    return key + b"\0" + (mutate_json(text, rng) if text[:1] == b"{" else _flip(text, rng, ()))


def mutate_packed(data: bytes, rng: Random) -> bytes:
    """The same for what is deflated."""
    try:
        inside = zlib.decompressobj().decompress(data, SMALL)
    except zlib.error:
        return _flip(data, rng, ())
    knowing = _knowing(inside)
    changed = knowing(inside, rng) if knowing else rng.choice(BLIND[:-1])(inside, rng, ())
    return zlib.compress(changed)


@cache
def text_bomb() -> bytes:
    """zlib data that becomes a gigabyte of blanks."""
    piece, check = b" " * (1 << 20), 1
    for _ in range(BOMB >> 20):
        check = zlib.adler32(piece, check)
    return b"\x78\xda" + deflated(piece, BOMB >> 20) + struct.pack(">I", check)


def deflated(piece: bytes, times: int) -> bytes:
    """Raw deflate of `piece` repeated, packed once."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    once = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    return once * times + packer.flush()


# -- zip ------------------------------------------------------------------------------------------


def zip_members(data: bytes) -> list[tuple[zipfile.ZipInfo, bytes]] | None:
    """All members; None if the zip is broken already, or a bomb."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if any(max(i.file_size, 32 * i.compress_size) > SMALL for i in archive.infolist()):
                return None
            return [(info, archive.read(info)) for info in archive.infolist()]
    except Exception:
        return None


def zip_of(members: Sequence[tuple[zipfile.ZipInfo, bytes]]) -> bytes:
    """The zip of these members, names of all kinds and twice the same allowed."""
    import warnings

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for info, content in members:
            archive.writestr(info, content)
    return buffer.getvalue()


def mutate_zip(data: bytes, rng: Random) -> bytes:
    """A member changed, renamed, lost, doubled or swollen, in a zip that is whole."""
    members = zip_members(data)
    if not members:
        return rng.choice(BLIND[:-1])(data, rng, ())
    at = rng.randrange(len(members))
    info, content = members[at]
    match rng.randrange(10):
        case 0:
            del members[at]
        case 1:
            members.append(members[at])
        case 2:
            members[at] = _renamed(info, rng.choice(NAMES)), content
        case 3:
            members.append((_renamed(info, rng.choice(NAMES)), b"outside"))
        case 4:
            return zip_with_bomb(members, at, lying=rng.random() < 0.5)
        case 5 if info.filename.endswith(".pkl"):
            members[at] = info, rng.choice(hostile_pickles())
        case _:
            knowing = _knowing(content)
            pick = knowing if knowing and rng.random() < 0.85 else None
            changed = pick(content, rng) if pick else rng.choice(BLIND[:-1])(content, rng, ())
            members[at] = info, changed
    try:
        return zip_of(members)
    except (ValueError, UnicodeEncodeError):  # a name that no zip can have
        return data


def _renamed(info: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    new = zipfile.ZipInfo("x")
    new.filename = name  # past the cleaning of the constructor
    new.compress_type, new.external_attr = info.compress_type, 0o120777 << 16  # a link
    return new


def zip_with_bomb(members: Sequence[tuple[zipfile.ZipInfo, bytes]], at: int, lying: bool) -> bytes:
    """One member becomes a gigabyte of zeros in a megabyte. lying: the directory says 1,000."""
    members = [(_copy(info), content) for info, content in members]
    packed = zero_bomb()
    info = members[at][0]
    info.compress_type = zipfile.ZIP_STORED
    blob = bytearray(zip_of([*members[:at], (info, packed), *members[at + 1 :]]))
    name = info.filename.encode()
    size = 1000 if lying else BOMB
    for mark, method, sizes, names in ((b"PK\3\4", 8, 22, 30), (b"PK\1\2", 10, 24, 46)):
        start = -1
        while (start := blob.find(mark, start + 1)) >= 0:
            if blob[start + names : start + names + len(name)] == name:
                struct.pack_into("<H", blob, start + method, zipfile.ZIP_DEFLATED)
                struct.pack_into("<I", blob, start + sizes, size)
    return bytes(blob)


def _copy(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    new = zipfile.ZipInfo(info.filename)
    new.compress_type = info.compress_type
    return new


@cache
def zero_bomb() -> bytes:
    """Raw deflate of a gigabyte of zeros."""
    return deflated(bytes(1 << 20), BOMB >> 20)


# -- safetensors ----------------------------------------------------------------------------------


def mutate_safetensors(data: bytes, rng: Random) -> bytes:
    """Another header, its length right or wrong; or weights that are no numbers."""
    length = int.from_bytes(data[:8], "little")
    header, body = data[8 : 8 + length], data[8 + length :]
    choice = rng.randrange(8)
    if choice == 0:
        return rng.choice(SIZES).__mod__(1 << 64).to_bytes(8, "little") + data[8:]
    if choice == 1 and len(body) >= 8:
        at = rng.randrange(0, len(body) - 4, 4)
        odd = rng.choice((b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\0\x7e\0\x7e", b"\xff" * 4))
        return data[: 8 + length] + body[:at] + odd + body[at + 4 :]
    header = _mutate_header(header, rng)
    return len(header).to_bytes(8, "little") + header + body


def _mutate_header(header: bytes, rng: Random) -> bytes:
    """Half of the time the JSON inside the JSON: it says how large the network is."""
    try:
        tree = json.loads(header)
        inner = tree["__metadata__"]
        key = rng.choice(list(inner))
        if rng.random() < 0.7:
            inner[key] = mutate_json(inner[key].encode(), rng).decode("utf-8", "replace")
            return json.dumps(tree).encode()
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        pass
    return mutate_json(header, rng)


# -- pickles that would run code ------------------------------------------------------------------

CANARY = "canary-was-run"


class _Call:
    """What `pickle` writes as a call."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple:
        return self._call


@cache
def hostile_pickles() -> tuple[bytes, ...]:
    """Pickles that would make the file `canary-was-run`, each by another way."""
    import builtins
    import os
    import subprocess

    make = f"open({CANARY!r}, 'w').close()"
    calls = (
        _Call(os.system, f"touch {CANARY}"),
        _Call(builtins.exec, make),
        _Call(builtins.eval, make),
        _Call(subprocess.call, ["touch", CANARY]),
        _Call(builtins.open, CANARY, "w"),
        _Call(os.mkdir, CANARY),
    )
    plain = [pickle.dumps(call, protocol) for call in calls for protocol in (0, 2, 4)]
    inside = [pickle.dumps({"a.weight": call}, 2) for call in calls]
    return (*plain, *inside)
