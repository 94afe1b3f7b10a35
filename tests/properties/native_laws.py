"""The laws of a native card: each returns when its law holds and raises AssertionError when it does not."""

from __future__ import annotations

from itertools import count

from card.cards import Terminal
from card.natives import (
    ADF,
    APPLICATION,
    FACTORY_KEY,
    LINE_KEY,
    LOAD_KEY,
    MASTER_KEY,
    MF,
    PIN,
    PURCHASE_KEY,
    TAC_KEY,
    authenticate,
    built,
    factory,
    guarded,
)
from kaguan.card_os.image import CardImage
from kaguan.card_os.native import key_room_left, room_left
from kaguan.card_os.profile import load_profile
from kaguan.card_os.profile.rules import native_rule
from kaguan.card_os.writes import apply
from properties.laws import a_tear_leaves_before_or_after, torn
from properties.native_scenes import NATIVE_SCENES
from properties.scenes import Scene

SECRETS = (*(key[:8] for key in (LINE_KEY, LOAD_KEY, MASTER_KEY, PURCHASE_KEY, TAC_KEY)), bytes.fromhex(PIN))
NATIVE = load_profile("fmcos-blank").behaviour.native
AUTHENTICATIONS = ("EXTERNAL AUTHENTICATE right", "EXTERNAL AUTHENTICATE wrong")
BUILDING = ("CREATE FILE", "ERASE DF", "WRITE KEY")
ANYBODY = (
    *("UPDATE RECORD first", "UPDATE RECORD again"),
    *("CREATE FILE master file", "CREATE FILE first key file", "CREATE FILE purse", "WRITE KEY the holder's PIN"),
)
"""Scenes in a file that lets everybody write, or in a dedicated file without keys, whose rules do not hold yet."""


def _named(name: str) -> Scene:
    return next(one for one in NATIVE_SCENES if one.name == name)


def a_native_try_is_spent_before_anything_is_compared() -> None:
    """Law 1: the first group of right and wrong is the same and takes a try."""
    groups = []
    for name in AUTHENTICATIONS:
        stage = _named(name).staged()
        before = stage.terminal.card.image
        stage.terminal.send(stage.command)
        assert stage.kept.groups, f"{name} writes nothing"
        groups.append(stage.kept.groups[0])
        assert _tries(apply(before, groups[-1])) == _tries(before) - 1
    assert groups[0] == groups[1]


def _tries(image: CardImage) -> int:
    return sum(key.tries_left for versions in image.keys.values() for key in versions)


def building_is_done_at_once_or_not_at_all() -> None:
    """Law 2 for files and keys: whatever builds or takes down is one group; half a key file opens a card to anybody."""
    for one in NATIVE_SCENES:
        if one.name.startswith(BUILDING):
            stage = one.staged()
            assert stage.terminal.send(stage.command) == "9000", one.name
            assert len(stage.kept.groups) == 1, f"{one.name} writes {len(stage.kept.groups)} groups"


def a_key_that_is_replaced_is_the_old_one_or_the_new() -> None:
    """Law 2, from outside: however the power is cut, the application has one load key and one master key."""
    for name in ("WRITE KEY written over", "WRITE KEY enciphered"):
        for cut in count():
            stage = _named(name).staged()
            answer = torn(stage, cut)
            image = stage.terminal.card.image
            assert len(image.keys.get(ADF + b"\x3f\x01", ())) == 1, f"{name}, cut after {cut} writes"
            if answer is not None:
                break


def without_rights_nothing_is_built_or_written() -> None:
    """Law 3: after a reset no register stands where the rules ask for it."""
    for one in NATIVE_SCENES:
        if one.name in (*AUTHENTICATIONS, *ANYBODY):
            continue
        stage = one.staged()
        stage.terminal.card.nvm.image = _closed(stage.terminal.card.image)
        stage.terminal.card.reset()
        stage.terminal.send("00A40000023F01" if one.image is built else "00A40000023F00")
        _is_refused(stage.terminal, _unguarded(stage.terminal, one, stage.command))


def _unguarded(terminal: Terminal, one: Scene, command: bytes) -> bytes:
    """The command, protected anew where it was: a missing challenge must not be what refuses it."""
    if not command[0] & 0x04:
        return command
    key, plain, encrypted = PROTECTED[one.name]
    return guarded(terminal, key, plain, encrypted=encrypted)


_KEY = "153FF0F40200" + LOAD_KEY.hex()
PROTECTED = {
    "WRITE KEY with MAC": (MASTER_KEY, "84D40102" + _KEY, False),
    "WRITE KEY enciphered": (MASTER_KEY, "84D43F01" + _KEY, True),
    "UPDATE BINARY with MAC": (LOAD_KEY, "04D6860003ABCDEF", False),
    "UPDATE BINARY enciphered": (LOAD_KEY, "04D6870003ABCDEF", True),
    "APPEND RECORD with MAC": (LOAD_KEY, "04E200540411223344", False),
}
"""How each protected scene is sent by somebody without rights; what line protection guards, under another key."""


def every_byte_of_a_protected_command_counts() -> None:
    """Law 3: a command under a MAC that differs anywhere changes nothing."""
    for one in NATIVE_SCENES:
        whole = one.staged().command
        for place in range(5, len(whole)) if whole[0] & 0x04 else ():
            stage = one.staged()
            before = stage.terminal.card.image
            forged = bytearray(stage.command)
            forged[place] ^= 0x01
            assert stage.terminal.send(bytes(forged)) == "6988"
            assert stage.terminal.card.image == before


def a_protected_file_is_neither_read_nor_written_plain() -> None:
    """Law 3: what the file's line protection asks for cannot be left out, whatever state was reached."""
    for fid in ("06", "07"):
        terminal = _at_application()
        for command in (f"00B0{0x80 | int(fid):02X}0004", f"00D6{0x80 | int(fid):02X}0003ABCDEF"):
            before = terminal.card.image
            assert terminal.send(command) == "6900"
            assert terminal.card.image == before


def a_challenge_protects_one_command() -> None:
    """Law 4: the same MAC, sent again, is refused."""
    for name in PROTECTED:
        stage = _named(name).staged()
        assert stage.terminal.send(stage.command) == "9000"
        before = stage.terminal.card.image
        assert stage.terminal.send(stage.command) == "6984"
        assert stage.terminal.card.image == before


def leaving_a_file_ends_its_state() -> None:
    """Law 4: a native card begins every dedicated file at state 0; selecting it again is leaving it."""
    for back in (("00A40000023F01",), ("00A40000023F00", "00A40000023F01")):
        terminal = _at_application(_closed(built()))
        terminal.go(*back)
        for one in ("80E0000B07280010F0F0FFFF", "80D40102" + _KEY, "00D6850003ABCDEF", "800E000000"):
            _is_refused(terminal, one)


def who_comes_back_to_a_file_needs_its_rights() -> None:
    """Rules do not hold for who found the file empty; they do for whoever enters it later."""
    terminal = Terminal(factory())
    assert authenticate(terminal, 0x00, FACTORY_KEY) == "9000"
    terminal.go("800E000000", APPLICATION.replace("F0FA95", "F4FA95"), "00A40000023F01", "80E00000073F005095F4FFFF")
    assert terminal.send("80E0000507280010F0F0FFFF") == "9000"
    terminal.select("3F01")
    for one in ("80E0000607280010F0F0FFFF", "80D4010015" + "39F0F0AA33" + MASTER_KEY.hex()):
        _is_refused(terminal, one)


def erasing_takes_what_lies_below_and_nothing_else() -> None:
    """ERASE DF in the application leaves the master file, its key and the application's own room as they were."""
    terminal = _at_application()
    terminal.go("80D401050D39F0F0AA33" + "77" * 8)
    assert authenticate(terminal, 0x05, bytes.fromhex("77" * 8)) == "9000"
    before = terminal.card.image
    assert terminal.send("800E000000") == "9000"
    after = terminal.card.image
    assert after.dedicated.keys() == before.dedicated.keys()
    assert after.dedicated[MF] == before.dedicated[MF]
    assert {at: keys for at, keys in before.keys.items() if at[:-2] == MF} == after.keys
    assert (after.files, after.pins, after.purses) == ({}, {}, {})
    region = after.dedicated[ADF].region
    assert region is not None
    assert region.key_file is None


def no_room_is_given_twice() -> None:
    """Files fill a dedicated file up to its last byte, keys its key file, and then 6A84 leaves all as it is."""
    terminal = _at_application()
    for fid in range(0x30, 0x100):
        answer = terminal.send(f"80E000{fid:02X}07280010F0F0FFFF")
        assert room_left(terminal.card.image, ADF, NATIVE) >= 0
        if answer == "6A84":
            break
    assert answer == "6A84"
    for reference in range(2, 0x100):
        answer = terminal.send(f"80D401{reference:02X}{_KEY}")
        region = terminal.card.image.dedicated[ADF].region
        assert region is not None
        assert region.key_file is not None
        assert key_room_left(terminal.card.image, ADF, region.key_file) >= 0
        if answer == "6A84":
            return
    raise AssertionError("the key file never fills")


def nobody_writes_over_a_pin() -> None:
    """A PIN is changed by who knows it or by its unblocking key, however high the state is."""
    terminal = _at_application()
    for command in ("80D43A00083AF0EF0133654321", "80D40100083AF0EF0133654321"):
        before = terminal.card.image
        assert terminal.send(command) in ("6982", "6A80")
        assert terminal.card.image == before
    assert terminal.send("0020000003" + PIN) == "9000"


def the_holders_pin_guards_the_purse() -> None:
    """Once the application has a PIN its deposit asks for it, whichever of the two came first."""
    stage = _named("WRITE KEY the holder's PIN").staged()
    assert stage.terminal.send("80E00001072F0208F000FF18") == "9000"
    assert stage.terminal.send("805C000104")[-4:] == "9000"
    assert stage.terminal.send(stage.command) == "9000"
    assert stage.terminal.send("805C000104") == "6982"
    assert stage.terminal.go("0020000003" + PIN, "805C000104")[-4:] == "9000"


def every_tear_of_every_native_command_is_clean() -> None:
    """Law 5 for every native command that writes, and for its recovery torn once."""
    for one in NATIVE_SCENES:
        a_tear_leaves_before_or_after(one)
        a_tear_leaves_before_or_after(one, 1)


def the_short_way_of_a_native_command_is_the_long_way() -> None:
    """With steady power a command comes to the same as with power that is watched and never fails."""
    for one in NATIVE_SCENES:
        steady, watched = one.staged(), one.staged()
        answer = steady.terminal.send(steady.command)
        assert torn(watched, 10_000) == answer
        assert steady.terminal.card.image == watched.terminal.card.image
        assert steady.kept.groups == watched.kept.groups


def no_native_secret_is_answered() -> None:
    """Law 6: neither the PIN nor a key is in any response."""
    for one in NATIVE_SCENES:
        stage = one.staged()
        stage.terminal.send(stage.command)
        for _, response in stage.terminal.trace:
            assert not any(secret in response for secret in SECRETS), one.name


def _is_refused(terminal: Terminal, command: str | bytes) -> None:
    before = terminal.card.image
    assert terminal.send(command) in ("6982", "6984", "6987", "6988")
    assert terminal.card.image == before


def _closed(image: CardImage) -> CardImage:
    """The card whose application and master file ask for a state before anything is created in them or added."""
    dedicated = dict(image.dedicated)
    for address, file in dedicated.items():
        rule = native_rule(0xFA if address == MF else 0xF4)
        assert file.region is not None
        assert file.region.key_file is not None
        region = file.region._replace(create=rule, key_file=file.region.key_file._replace(add=rule))
        dedicated[address] = file._replace(region=region)
    return image._replace(dedicated=dedicated)


def _at_application(image: CardImage | None = None) -> Terminal:
    terminal = Terminal(image or built())
    terminal.select("3F01")
    assert authenticate(terminal, 0x00, MASTER_KEY) == "9000"
    return terminal


NATIVE_LAWS = (
    a_native_try_is_spent_before_anything_is_compared,
    building_is_done_at_once_or_not_at_all,
    a_key_that_is_replaced_is_the_old_one_or_the_new,
    without_rights_nothing_is_built_or_written,
    every_byte_of_a_protected_command_counts,
    a_protected_file_is_neither_read_nor_written_plain,
    a_challenge_protects_one_command,
    leaving_a_file_ends_its_state,
    who_comes_back_to_a_file_needs_its_rights,
    erasing_takes_what_lies_below_and_nothing_else,
    no_room_is_given_twice,
    nobody_writes_over_a_pin,
    the_holders_pin_guards_the_purse,
    every_tear_of_every_native_command_is_clean,
    the_short_way_of_a_native_command_is_the_long_way,
    no_native_secret_is_answered,
)
