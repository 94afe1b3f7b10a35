"""Bytes that cross the contacts: commands, responses, status words, TLV, text, tapes.

The lowest floor. Values are frozen; bytes inside, hex only at the edges; no disk, no clock, no luck.
"""
