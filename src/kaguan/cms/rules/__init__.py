"""The rules of card management as tables and pure functions: no Django, no clock, no disk."""
