"""The door of what ends a card, or takes its place."""
