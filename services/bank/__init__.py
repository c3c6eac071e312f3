"""A bank of old, as others see it: the far end that payments has to live with. Not a part of the shop, a stand-in.

It keeps its books well, one booking a reference. All else about it is as bad as it is told to be: slow, failing, silent
after it has booked, answering twice, answering nonsense; drawn from a seed, so that it does the same again.
"""
