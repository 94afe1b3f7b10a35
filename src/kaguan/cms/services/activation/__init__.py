"""The ways in which a card and its medical account come into use.

Law. With a card in the reader the books know what is about to be written before the chip does, and the state changes
only when the chip has it: a failure of either side changes neither.
Law. Without one the record is owed, and written when the card is next in a reader.
Law. What a verifier has not signed has not been verified.
"""
