"""The door to reports about cards in wrong hands."""
