"""Which use cases there are, and which of them a route of the API asks for, as the code itself says."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from types import ModuleType

from kaguan.cms import services
from kaguan.cms.api import dialects, routes

UseCase = Callable[..., object]


def use_cases() -> set[UseCase]:
    """Every use case and question of the services."""
    return {thing for module in _modules(services) for thing in vars(module).values() if _is_use_case(thing)}


def asked_over_http() -> set[UseCase]:
    """Those that a function of a route or a dialect names."""
    return {thing for package in (routes, dialects) for module in _modules(package) for thing in _named_in(module)}


def name_of(use_case: UseCase) -> str:
    """The use case by room and name, as in `loss.report_formal_loss`."""
    return f"{use_case.__module__.removeprefix('kaguan.cms.services.')}.{use_case.__name__}"


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


def _is_use_case(thing: object) -> bool:
    return hasattr(thing, "__wrapped__") and getattr(thing, "__module__", "").startswith(services.__name__)


def _named_in(module: ModuleType) -> Iterator[UseCase]:
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        thing: object = None
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            thing = getattr(vars(module).get(node.value.id), node.attr, None)
        elif isinstance(node, ast.Name):
            thing = vars(module).get(node.id)
        if thing is not None and _is_use_case(thing):
            yield thing  # type: ignore[misc]
