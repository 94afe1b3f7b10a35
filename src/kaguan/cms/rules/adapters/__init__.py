"""The codes of others, both ways: one file a dialect, each a set of tables."""
