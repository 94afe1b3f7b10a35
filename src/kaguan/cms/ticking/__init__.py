"""The door of the clock: what time alone does to cards."""
