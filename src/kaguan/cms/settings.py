"""Django settings of card management: an SQLite file, or PostgreSQL by its URL, and a web API for whoever serves it.

`KAGUAN_DB` names the database. `KAGUAN_SECRET_KEY` fixes the secret key; without it every process draws its own,
which is enough as long as nothing signed outlives the process. Second factors and the keys of banks are sealed under
it, so they need a fixed one. `KAGUAN_HOSTS` names the hosts by which the API is reached, with commas.
"""

from __future__ import annotations

import os
import secrets
from importlib.util import find_spec
from typing import Any, Final

from kaguan.apdu.errors import RuleBroken

DATABASE_VARIABLE: Final = "KAGUAN_DB"
DEFAULT_DATABASE: Final = "kaguan.sqlite"
PATIENCE_SECONDS: Final = 20
"""How long a request waits for another one that holds what it needs."""
_SESSION: Final = f"-c synchronous_commit=on -c lock_timeout={PATIENCE_SECONDS}s"


def is_server(database: str) -> bool:
    """Return whether the address names a database server and no file."""
    return "://" in database and not database.startswith("sqlite:")


def database_settings(database: str) -> dict[str, Any]:
    """Return Django's settings for the database: the path of an SQLite file, or postgresql://USER@HOST/NAME.

    Every commit reaches the disk before it is answered. In a file each transaction takes the write lock at once; on
    a server it locks the rows that it decides by.

    Raises:
        RuleBroken: another kind of database, a password in its address, or no driver for it.
    """
    if not is_server(database):
        return _file_settings(_path_of(database))
    from kaguan.address import database_url  # noqa: PLC0415 (most databases are files)

    if find_spec("psycopg") is None:
        raise RuleBroken("a database on a server needs the extra postgres: pip install 'kaguan[cms,postgres]'")
    url = database_url(database)
    options = {name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.database or "",
        "USER": url.username or "",
        "HOST": options.pop("host", url.host or ""),
        "PORT": options.pop("port", str(url.port or "")),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **options,
            "options": f"{options.get('options', '')} {_SESSION}".strip(),
            "server_side_binding": True,
            "prepare_threshold": 2,
        },
    }


def _path_of(database: str) -> str:
    if "://" not in database:
        return database
    from kaguan.address import database_url  # noqa: PLC0415 (most databases are plain paths)

    return str(database_url(database).database)


def _file_settings(path: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "USER": "",
        "HOST": "",
        "PORT": "",
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": False,
        "OPTIONS": {
            "timeout": PATIENCE_SECONDS,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
        },
    }


SECRET_KEY = os.environ.get("KAGUAN_SECRET_KEY") or secrets.token_hex(32)
DATABASES = {"default": database_settings(os.environ.get(DATABASE_VARIABLE) or DEFAULT_DATABASE)}
SECOND_FACTOR_SECRET = os.environ.get("KAGUAN_SECRET_KEY", "")
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
INSTALLED_APPS = ["kaguan.cms"]

# What follows is of the web alone: nothing below matters to the command line.
ROOT_URLCONF = "kaguan.cms.api.urls"
ALLOWED_HOSTS = os.environ.get("KAGUAN_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
MIDDLEWARE = [
    "kaguan.cms.api.headers.shut_in",
    "django.middleware.security.SecurityMiddleware",
    "kaguan.cms.api.limits.limited",
    "django.middleware.csrf.CsrfViewMiddleware",
]
SECURE_HSTS_SECONDS = 31_536_000
SECURE_REFERRER_POLICY = "no-referrer"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_NAME = "__Host-kaguan-csrf"
CSRF_FAILURE_VIEW = "kaguan.cms.api.urls.no_csrf"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
TRUSTED_PROXY = ""
RATE_OF_A_SOURCE = "1200/m"
RATE_OF_A_TOKEN = "600/m"  # noqa: S105 - a rate, no password
RATE_OF_SIGNING_IN = "30/m"
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"
LANGUAGE_CODE = "en"
