"""Henan and Jilin: the operations that both provinces call by the same names, answered in ERR.

00 says done, 01 that it is so already, and anything else says in words why not. A message is `<allDsjk>` with the
operation in 操作 and fields by indicator name: AAZ500 card, AAC147 document, AAC003 name. There is no key in it: that a
repeated operation answers 01 is what makes repeating harmless.

Whoever sends an operation says by it that the original document lay on their counter, and where a person has to be
there, that they compared the two.
"""
