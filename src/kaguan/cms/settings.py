"""Django settings of card management, embedded: one SQLite file, and a web API for whoever serves it.

`KAGUAN_DB` names the database file. `KAGUAN_SECRET_KEY` fixes the secret key; without it every process draws
its own, which is enough as long as nothing signed outlives the process. Second factors and the keys of banks are sealed
under it, so they need a fixed one. `KAGUAN_HOSTS` names the hosts by which the API is reached, with commas.
"""

from __future__ import annotations

import os
import secrets
from typing import Any, Final

from kaguan.apdu.errors import InputError

DATABASE_VARIABLE: Final = "KAGUAN_DB"
DEFAULT_DATABASE: Final = "kaguan.sqlite"


def database_settings(database: str) -> dict[str, Any]:
    """Return Django's settings for the database: a path of an SQLite file.

    Every transaction takes the write lock at once and every commit reaches the disk before it is answered.
    """
    if "://" in database:
        raise InputError(f"cannot use a {database.partition('://')[0]} database yet: give the path of an SQLite file")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": database,
        "OPTIONS": {
            "timeout": 20,
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
