"""Operators come and go."""
