"""HTTP: requests in, answers out.

Asks ``txregistry.registry``; knows nothing of storage or configuration.
"""
