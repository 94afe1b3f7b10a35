"""The chip keeps its laws."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from properties.laws import LAWS
from properties.scenes import SCENES, Scene


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law: Callable[[], None]) -> None:
    law()


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_every_scene_writes(scene: Scene) -> None:
    stage = scene.staged()
    answer = stage.terminal.send(stage.command)
    assert stage.kept.groups
    assert answer.endswith("9000") == (not scene.name.endswith("wrong"))
