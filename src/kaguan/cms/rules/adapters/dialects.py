"""All dialects that are known, in the order in which the docs show them."""

from __future__ import annotations

from typing import Any, Final

from kaguan.cms.rules.adapters import henan, jiaxing, ministry, shandong, tecsun
from kaguan.cms.rules.adapters.table import CodeTable

DIALECTS: Final[tuple[CodeTable[Any], ...]] = (
    *ministry.TABLES,
    *shandong.TABLES,
    *jiaxing.TABLES,
    *tecsun.TABLES,
    *henan.TABLES,
)
