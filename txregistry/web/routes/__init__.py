"""Routes: the API's endpoints, one module a noun; parse, ask, answer.

Endpoint numbers (end-2 …) are those of the OCI distribution spec.
"""
