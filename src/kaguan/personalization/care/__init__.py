"""What becomes of data about people once the cards are made: sealed for whom it is, kept for a time, then destroyed."""
