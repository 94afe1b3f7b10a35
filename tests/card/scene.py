"""A chip in the middle of something, and a command for it: what may be wrong with either, one thing at a time.

Scenes are values: a violation makes another scene of one. What protects a command is made when it is sent, over
whatever the violations left of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

from card.cards import counted
from kaguan.apdu.command import CommandApdu
from kaguan.card_os.dispatch import execute
from kaguan.card_os.image import Address, CardImage, CardKey
from kaguan.card_os.outcome import Chip, Outcome
from kaguan.card_os.profile import load_profile
from kaguan.card_os.profile.model import Behaviour
from kaguan.card_os.session import Session, start_of
from kaguan.vault.ciphers import cipher
from kaguan.vault.messaging import MAC_SIZE, Scheme, protect
from kaguan.vault.vault import Usage


@dataclass(frozen=True, slots=True)
class Scene:
    """`seal` makes the command that is sent of the one that is meant; `forged` spoils its last byte. `first` is the
    command that began what this one ends."""

    image: CardImage
    behaviour: Behaviour
    session: Session
    command: CommandApdu
    seal: Seal | None = None
    forged: bool = False
    first: CommandApdu | None = None

    def sent(self) -> CommandApdu:
        """The command as it crosses the contacts."""
        command = self.seal(self) if self.seal else self.command
        if self.forged and command.data:
            command = command._replace(data=command.data[:-1] + bytes((command.data[-1] ^ 0xFF,)))
        return command

    def outcome(self) -> Outcome:
        """What the chip makes of it; its random numbers are the same every time."""
        return execute(self.image, self.session, self.sent(), Chip(counted(), self.behaviour))

    def key(self, usage: Usage, reference: int | None = None, version: int | None = None) -> CardKey | None:
        """The key of that usage, of that reference and version if they are named, here or in a file above."""
        here = self.session.current
        while True:
            for at, versions in self.image.keys.items():
                for key in versions if at[:-2] == here and versions[0].usage is usage else ():
                    if reference in (None, key.reference) and version in (None, key.version):
                        return key
            if not here:
                return None
            here = here[:-2]


Seal: TypeAlias = Callable[[Scene], CommandApdu]
Violation: TypeAlias = Callable[[Scene], Scene]


def scene(image: CardImage, current: Address, command: str, *rights: int, **session: Any) -> Scene:
    """The card with this file current and these rights won, and a command in hex as a terminal sends it."""
    behaviour = load_profile(image.profile).behaviour
    start = start_of(behaviour)
    stands = start._replace(current=current, rights=start.rights | set(rights), **session)
    return Scene(image, behaviour, stands, CommandApdu.parse(bytes.fromhex(command)))


def after(first: Scene, command: str, seal: Seal | None = None) -> Scene:
    """The scene once the command was served, and another one."""
    outcome = first.outcome()
    assert outcome.sw >> 8 in (0x90, 0x61), f"{first.command}: {outcome.sw:04X}"
    session = outcome.session._replace(waiting=b"")
    last = CommandApdu.parse(bytes.fromhex(command))
    return replace(first, session=session, command=last, seal=seal, first=first.command)


def both(*violations: Violation) -> Violation:
    """All of them as one."""

    def made(before: Scene) -> Scene:
        for violation in violations:
            before = violation(before)
        return before

    return made


def p1(value: int) -> Violation:
    """Another P1."""
    return lambda before: replace(before, command=before.command._replace(p1=value))


def p2(value: int) -> Violation:
    """Another P2."""
    return lambda before: replace(before, command=before.command._replace(p2=value))


def ne(value: int | None) -> Violation:
    """Another Le."""
    return lambda before: replace(before, command=before.command._replace(ne=value))


def data(value: str) -> Violation:
    """Other data; a seal goes around them."""
    return lambda before: replace(before, command=before.command._replace(data=bytes.fromhex(value)))


def patch(offset: int, value: str) -> Violation:
    """Other data from this byte on."""
    new = bytes.fromhex(value)

    def made(before: Scene) -> Scene:
        old = before.command.data
        changed = old[:offset] + new + old[offset + len(new) :]
        return replace(before, command=before.command._replace(data=changed))

    return made


def shortened(size: int) -> Violation:
    """Data that end so many bytes earlier."""
    return lambda before: replace(before, command=before.command._replace(data=before.command.data[:-size]))


def bare(value: str) -> Violation:
    """Other data, without what should protect them."""
    return both(data(value), lambda before: replace(before, seal=None))


def forged(before: Scene) -> Scene:
    """A MAC that is wrong."""
    return replace(before, forged=True)


def standing(**parts: Any) -> Violation:
    """Another session."""
    return lambda before: replace(before, session=before.session._replace(**parts))


no_challenge = standing(challenge=b"")
no_file = standing(file=None)


def without(*rights: int) -> Violation:
    """A session without these rights."""
    return lambda before: standing(rights=before.session.rights - set(rights))(before)


def with_right(right: int) -> Violation:
    """A session with one right more."""
    return lambda before: standing(rights=before.session.rights | {right})(before)


def settings(**parts: Any) -> Violation:
    """A card with other settings."""
    return lambda before: replace(before, behaviour=before.behaviour._replace(**parts))


def altered(table: str, address: Address | None, **parts: Any) -> Violation:
    """A card on which the object there is otherwise, wherever the session stands in it when no address is given."""

    def made(before: Scene) -> Scene:
        objects = getattr(before.image, table)
        at = address or (before.session.current if table == "dedicated" else before.session.file)
        if at not in objects:
            return before
        changed = {**objects, at: objects[at]._replace(**parts)}
        return replace(before, image=before.image._replace(**cast(Any, {table: changed})))

    return made


def gone(table: str, address: Address) -> Violation:
    """A card that has no such object."""

    def made(before: Scene) -> Scene:
        objects = {at: value for at, value in getattr(before.image, table).items() if at != address}
        return replace(before, image=before.image._replace(**cast(Any, {table: objects})))

    return made


def keys(usage: Usage, **parts: Any) -> Violation:
    """A card whose keys of that usage are otherwise."""
    return _keys(lambda key: key._replace(**parts) if key.usage is usage else key)


def no_keys(usage: Usage) -> Violation:
    """A card without keys of that usage."""
    return _keys(lambda key: None if key.usage is usage else key)


def _keys(change: Callable[[CardKey], CardKey | None]) -> Violation:
    def made(before: Scene) -> Scene:
        found: dict[Address, tuple[CardKey, ...]] = {}
        for at, versions in before.image.keys.items():
            changed = tuple(key for key in map(change, versions) if key is not None)
            if changed:
                found[at] = changed
        return replace(before, image=before.image._replace(keys=found))

    return made


def guarded(
    usage: Usage, reference: int | None, scheme: Scheme, *, encrypted: bool = False, version: int | None = None
) -> Seal:
    """The seal of secure messaging under that key and the session's challenge."""

    def made(before: Scene) -> CommandApdu:
        key, challenge = before.key(usage, reference, version), before.session.challenge
        command = before.command
        if key is None or not challenge:
            return command._replace(data=command.data + bytes(MAC_SIZE))
        return protect(cipher(key.value, key.algorithm), scheme, command, challenge, encrypted=encrypted)

    return made


def ill_padded(usage: Usage, reference: int | None, scheme: Scheme) -> Violation:
    """A cryptogram of half a block under a right MAC."""
    seal = guarded(usage, reference, scheme)
    return lambda before: replace(data("0102")(before), seal=seal)
