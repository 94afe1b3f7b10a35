"""The counter: its desk, loads and purchases with a card in the reader, and its door."""
