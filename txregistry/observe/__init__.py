"""Seeing what the registry does: logs.

Knows no other part; the service hands it what it needs.
"""
