"""The door of stock and production: where cards are, and who has them."""
