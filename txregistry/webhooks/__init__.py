"""Webhooks: telling others by HTTP what was done, so that no event is lost.

Parts: what an event looks like (``documents``), where it waits (``ledger``, ``queue``),
how it is delivered (``posting``, ``delivering``). ``txregistry.notifying`` joins them.
"""
