"""The other end of the wire: conversations with a card, and the links they run over."""
