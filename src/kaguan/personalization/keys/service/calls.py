"""The verbs of a vault as plain JSON, strictly: nothing is taken that is not exactly what the verb takes.

A request is `[number, verb, argument ...]`, an answer `[number, "done", result]` or `[number, "error", class, text]`.
Bytes are hex. A key's name is `[label, version, [[kind, data] ...]]`. No value is ever made into an object of another
class than these tables say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import KaguanError
from kaguan.personalization.keys.service.faults import RequestMalformed
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.messaging import Scheme
from kaguan.vault.secret import CheckValue, Secret
from kaguan.vault.vault import Appendix, KeyInfo, KeyRef, KeyVault, Step, StepKind, Usage

VERSION = 1
GREETING = "kaguan-keys"
MOST_BYTES = 1 << 20
"""The longest request or answer."""
MOST_STEPS = 8
MOST_LABEL = 256
MOST_PIECES = 64

Json: TypeAlias = Any
Decoder: TypeAlias = Callable[[Json], Any]


def dumps(value: Json) -> bytes:
    """The value as it goes over the wire."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def loads(raw: bytes) -> Json:
    """The value that came over the wire.

    Raises:
        RequestMalformed: it is no JSON, or names something twice.
    """
    try:
        return json.loads(raw.decode(), object_pairs_hook=_table, parse_constant=_refuse, parse_float=_refuse)
    except (ValueError, RecursionError):
        raise RequestMalformed("this is no JSON of the key service") from None


def _table(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError
    return table


def _refuse(text: str) -> Json:
    raise ValueError(text)


def _require(good: bool) -> None:  # noqa: FBT001 - it is what the name says
    if not good:
        raise ValueError


def text_in(value: Json) -> str:
    """The text."""
    _require(type(value) is str)
    return str(value)


def number_in(value: Json) -> int:
    """The number, of at most 31 bits."""
    _require(type(value) is int and 0 <= value < 1 << 31)
    return int(value)


def flag_in(value: Json) -> bool:
    """Yes or no."""
    _require(type(value) is bool)
    return bool(value)


def bytes_in(value: Json) -> bytes:
    """The bytes written in hex."""
    raw = bytes.fromhex(text_in(value))
    _require(len(value) == 2 * len(raw))
    return raw


def list_in(value: Json, size: int | None = None) -> list[Json]:
    """The list, of that many."""
    _require(type(value) is list and size in (None, len(value)))
    return list(value)


def ref_in(value: Json) -> KeyRef:
    """The key's name."""
    label, version, steps = list_in(value, 3)
    _require(len(text_in(label)) <= MOST_LABEL and len(list_in(steps)) <= MOST_STEPS)
    return KeyRef(label, number_in(version), tuple(map(_step_in, steps)))


def _step_in(value: Json) -> Step:
    kind, data = list_in(value, 2)
    return Step(StepKind(text_in(kind)), bytes_in(data))


def secret_in(value: Json) -> Secret:
    """The secret."""
    return Secret(bytes_in(value))


def command_in(value: Json) -> CommandApdu:
    """The command: its header, its data, and what it expects."""
    cla, ins, p1, p2, data, ne = list_in(value, 6)
    cla, ins, p1, p2 = bytes(map(number_in, (cla, ins, p1, p2)))
    return CommandApdu(cla, ins, p1, p2, bytes_in(data), None if ne is None else number_in(ne))


def appendix_in(value: Json) -> Appendix:
    """What follows a command's data: nothing, one piece, or a list of pieces."""
    if value is None:
        return None
    if type(value) is dict:
        piece = _piece_in(value)
        _require(not isinstance(piece, bytes))
        return piece if isinstance(piece, KeyRef | Secret) else None
    _require(len(list_in(value)) <= MOST_PIECES)
    return tuple(map(_piece_in, value))


_PIECES: dict[str, Decoder] = {"bytes": bytes_in, "key": ref_in, "secret": secret_in}


def _piece_in(value: Json) -> bytes | KeyRef | Secret:
    _require(type(value) is dict and len(value) == 1)
    ((name, content),) = value.items()
    _require(name in _PIECES)
    made = _PIECES[name](content)
    assert isinstance(made, bytes | KeyRef | Secret)  # noqa: S101 - as the table says
    return made


def families_in(value: Json) -> list[KeyRef]:
    """Many keys: those with the same parent and kind of last step together."""
    refs: list[KeyRef] = []
    for family in list_in(value):
        parent, kind, lasts = list_in(family, 3)
        above = ref_in(parent)
        if kind is None:
            refs.append(above)
        else:
            last = StepKind(text_in(kind))
            refs += [above._replace(steps=(*above.steps, Step(last, bytes_in(data)))) for data in list_in(lasts)]
    return refs


def info_in(value: Json) -> KeyInfo:
    """What is known of a key."""
    label, version, algorithm, usage, check_value, levels = list_in(value, 6)
    return KeyInfo(
        text_in(label),
        number_in(version),
        Algorithm(text_in(algorithm)),
        Usage(text_in(usage)),
        CheckValue(bytes_in(check_value)),
        number_in(levels),
    )


def ref_out(ref: KeyRef) -> Json:
    """The key's name."""
    return [ref.label, ref.version, [[kind.value, data.hex()] for kind, data in ref.steps]]


def command_out(command: CommandApdu) -> Json:
    """The command."""
    return [command.cla, command.ins, command.p1, command.p2, command.data.hex(), command.ne]


def appendix_out(append: Appendix) -> Json:
    """What follows a command's data."""
    if append is None:
        return None
    if isinstance(append, KeyRef | Secret):
        return _piece_out(append)
    return list(map(_piece_out, append))


def _piece_out(piece: bytes | KeyRef | Secret) -> Json:
    if isinstance(piece, KeyRef):
        return {"key": ref_out(piece)}
    return {"bytes": piece.hex()} if isinstance(piece, bytes) else {"secret": piece.reveal().hex()}


def families_out(refs: Iterable[KeyRef]) -> Json:
    """Many keys: those with the same parent and kind of last step together, for the way down to cards is long."""
    families: dict[tuple[KeyRef, str | None], list[str]] = {}
    for ref in refs:
        kind, data = (ref.steps[-1].kind.value, ref.steps[-1].data) if ref.steps else (None, b"")
        families.setdefault((ref.parent, kind), []).append(data.hex())
    return [[ref_out(parent), kind, lasts] for (parent, kind), lasts in families.items()]


def info_out(info: KeyInfo) -> Json:
    """What is known of a key."""
    value = info.check_value.value.hex()
    return [info.label, info.version, info.algorithm.value, info.usage.value, value, info.levels]


def _bytes_out(value: bytes) -> Json:
    return value.hex()


class Verb(NamedTuple):
    """What a verb takes, how it is done, and what its result looks like on the wire."""

    takes: tuple[Decoder, ...]
    act: Callable[..., Any]
    gives: Callable[[Any], Json]


def _protect(
    vault: KeyVault,
    ref: KeyRef,
    scheme: Scheme,
    command: CommandApdu,
    challenge: bytes,
    encrypted: bool,  # noqa: FBT001 - as it comes over the wire
    append: Appendix,
) -> CommandApdu:
    return vault.protect(ref, scheme, command, challenge, encrypted=encrypted, append=append)


def _scheme_in(value: Json) -> Scheme:
    return Scheme(text_in(value))


VERBS: dict[str, Verb] = {
    "infos": Verb((), lambda vault: vault.infos(), lambda infos: list(map(info_out, infos))),
    "info": Verb((ref_in,), lambda vault, ref: vault.info(ref), info_out),
    "check_value": Verb((ref_in,), lambda vault, ref: vault.check_value(ref), lambda value: value.value.hex()),
    "encipher": Verb((ref_in, bytes_in), lambda vault, *taken: vault.encipher(*taken), _bytes_out),
    "mac": Verb((ref_in, bytes_in, bytes_in), lambda vault, *taken: vault.mac(*taken), _bytes_out),
    "protect": Verb((ref_in, _scheme_in, command_in, bytes_in, flag_in, appendix_in), _protect, command_out),
    "seal_secret": Verb((ref_in, secret_in, bytes_in), lambda vault, *taken: vault.seal_secret(*taken), _bytes_out),
    "open_secret": Verb(
        (ref_in, bytes_in, bytes_in),
        lambda vault, *taken: vault.open_secret(*taken),
        lambda secret: secret.reveal().hex(),
    ),
    "mac_long": Verb((ref_in, bytes_in), lambda vault, *taken: vault.mac_long(*taken), _bytes_out),
    "prepare": Verb((families_in,), lambda vault, refs: vault.prepare(refs), lambda nothing: None),
}


def perform(vault: KeyVault, raw: bytes, failed: Callable[[Exception], Sequence[Json]]) -> bytes:
    """The answer to a request; `failed` says what is answered when the vault refuses, or breaks.

    Raises:
        RequestMalformed: it is no request.
    """
    request = loads(raw)
    try:
        number, name, *given = list_in(request)
        verb = VERBS[text_in(name)]
        number_in(number)
        taken = [decode(value) for decode, value in zip(verb.takes, given, strict=True)]
    except (ValueError, KeyError, TypeError, KaguanError):
        raise RequestMalformed("this is no request of the key service") from None
    try:
        return dumps([number, "done", verb.gives(verb.act(vault, *taken))])
    except Exception as error:  # one request's bug is not the end of the service
        return dumps([number, *failed(error)])
