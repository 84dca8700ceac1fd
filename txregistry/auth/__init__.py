"""Who is it, and what may they do.

Providers of IAuthenticator and IAccessPolicy on twisted.cred; no HTTP, no storage.
"""
