"""The conformance suite: a card judged by ordinary commands, in the chapters of LD/T 6001.3-2023.

The titles of the chapters are the standard's; what each sends follows from the card profile.

Law 1. Nothing is presented when it has one try left; nor when nobody knows how many it has, unless the user says so.
Law 2. What is written is what stood there, or is put back.
Law 3. A report holds no personal data, no PIN and no key.
"""
