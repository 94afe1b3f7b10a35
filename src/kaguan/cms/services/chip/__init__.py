"""What the books know of a chip: what it should say of itself, where it says otherwise, and what it is being told.

Law. A step with a chip is on the books before the chip hears of it, and stays open until the chip has answered.
Law. A disagreement is a case; it is settled by two people, and nothing is made to agree without them.
"""
