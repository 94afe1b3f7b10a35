"""The native card keeps the laws of every other chip: torn, it is as before or after; refused, it is as before."""

from __future__ import annotations

import pytest

from card.natives import LINE_KEY, LOAD_KEY, MASTER_KEY, PIN, PURCHASE_KEY, TAC_KEY
from properties.laws import a_refusal_changes_nothing, a_tear_leaves_before_or_after
from properties.native_scenes import NATIVE_SCENES
from properties.scenes import Scene

SECRETS = (*(key[:8] for key in (LINE_KEY, LOAD_KEY, MASTER_KEY, PURCHASE_KEY, TAC_KEY)), bytes.fromhex(PIN))

native = pytest.mark.parametrize("scene", NATIVE_SCENES, ids=lambda scene: scene.name)


@native
def test_every_scene_writes(scene: Scene) -> None:
    stage = scene.staged()
    answer = stage.terminal.send(stage.command)
    assert stage.kept.groups
    assert answer == ("63C2" if scene.name.endswith("wrong") else "9000")


@native
def test_a_tear_at_every_write_is_clean(scene: Scene) -> None:
    a_tear_leaves_before_or_after(scene)


@native
def test_a_tear_of_recovery_is_clean(scene: Scene) -> None:
    for first in range(4):
        a_tear_leaves_before_or_after(scene, first)
        a_tear_leaves_before_or_after(scene, first, 1)


@native
def test_a_spoiled_command_changes_nothing(scene: Scene) -> None:
    whole = scene.staged().command
    for spoiled in (whole[:4], whole[:4] + bytes((whole[4] - 1 & 0xFF,)) + whole[5:-1], whole + b"\x00\x00"):
        stage = scene.staged()
        a_refusal_changes_nothing(stage.terminal, spoiled)


@native
def test_without_rights_nothing_changes(scene: Scene) -> None:
    stage = scene.staged()
    stage.terminal.card.reset()
    a_refusal_changes_nothing(stage.terminal, stage.command)


@native
def test_no_secret_is_answered(scene: Scene) -> None:
    stage = scene.staged()
    stage.terminal.send(stage.command)
    for _, response in stage.terminal.trace:
        assert not any(secret in response for secret in SECRETS)


@native
def test_every_byte_of_a_protected_command_counts(scene: Scene) -> None:
    whole = scene.staged().command
    if not whole[0] & 0x04:
        return
    for place in range(5, len(whole)):
        stage = scene.staged()
        before = stage.terminal.card.image
        forged = bytearray(stage.command)
        forged[place] ^= 0x01
        assert stage.terminal.send(bytes(forged)) == "6988"
        assert stage.terminal.card.image == before
