"""The words in which provinces ask for the same use cases."""
