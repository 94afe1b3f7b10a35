"""Orders: what comes in from the authority or its bank, and what goes back."""
