"""A pytest plugin: cards, modules and readers as fixtures, tapes as tests, the trace of a failure.

docs/testing-with-kaguan.md describes the fixtures. Tests get a `CardUnderTest` (card.py) and a `ReaderUnderTest`
(reader.py). Nothing is imported here: every run of pytest loads the plugin, and most have no card.
"""
