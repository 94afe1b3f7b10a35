"""Money in whole fen, moved only from one account to another.

Law. The sum over all accounts is zero: an entry has a source and a destination, and no other form.
Law. No personal account, purse or holding account goes below zero.
Law. A transfer id means one content for ever: asked again it gives the first answer, otherwise it is refused.
Law. A reserved transfer is settled or voided exactly once.
Law. Replaying all entries gives every balance.
"""
