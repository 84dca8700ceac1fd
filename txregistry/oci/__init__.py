"""The OCI vocabulary: pure values and rules.

No Twisted, no I/O. Anything may import it; it imports nothing of ours.
Digests, names, manifests, ranges, links, and one error class per wire code.
"""
