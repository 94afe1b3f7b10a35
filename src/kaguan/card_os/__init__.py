"""The inside of the chip: pure functions from an image, a session and a command to an outcome.

No clock, no disk, no luck: random numbers and settings come in with the `Chip`.
"""
