"""`kaguan cms` as somebody types it, without a process of its own."""

from __future__ import annotations

from click.testing import CliRunner

from kaguan.cms.cli import cms


def kaguan(database: str, who: tuple[str, str], *words: object, typed: str = "") -> str:
    """What is printed for the operator at the institution; raises the error that the front door would show."""
    operator, institution = who
    environment = {"KAGUAN_DB": database, "KAGUAN_OPERATOR": operator, "KAGUAN_INSTITUTION": institution}
    result = CliRunner().invoke(cms, [str(word) for word in words], env=environment, input=typed)
    if isinstance(result.exception, Exception):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout
