"""The commands that need a card on the counter."""
