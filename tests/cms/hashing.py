"""Argon2 as in earnest, with less work: tests hash hundreds of passwords."""

from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher


class QuickArgon2(Argon2PasswordHasher):
    """The same algorithm at its smallest."""

    time_cost = 1
    memory_cost = 8
    parallelism = 1
