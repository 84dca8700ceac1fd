"""Testing tools for us and for people who write drivers or clients.

May import anything; nothing imports it.
"""
