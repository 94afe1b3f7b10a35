"""The web API of card management: a thin way in, over HTTP and JSON, to the use cases of `services/`.

Law. A route asks for one use case and adds no rule of its own.
Law. Whatever is refused is refused with a code of `errors.ANSWERS`, and no text from inside leaves with it.
"""
