"""Dangerous steps: one person asks, another approves or rejects, and only then it is done.

Law. Whoever asked does not decide, nor does anybody whom it concerns, nor the same human under another login.
Law. What could not be done now is not asked for: asking tries it out and takes it back.
Law. A request is decided once, before it expires; what is done then is done with the rights of whoever asked.
"""
