"""What a host wants of a card, one file a subject, each the counterpart of a family of the card's commands."""
