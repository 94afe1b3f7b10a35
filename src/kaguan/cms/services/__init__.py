"""Use cases of card management.

Law. One use case is one transaction: all of it happened, or none.
Law. Asked again under the same request id it gives the first answer and changes nothing.
Law. What was done, and what was refused, leaves one line in the audit log.
Law. No use case touches a chip; it books what the outlet saw the chip do.
"""
