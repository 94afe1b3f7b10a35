"""Key stores as doors ask for them."""
