"""The registry's use cases, one noun a module; no HTTP, no disk, no sockets.

Works on an IStorageDriver and on values of ``txregistry.oci``; raises its errors.
"""
