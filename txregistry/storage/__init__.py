"""Storage drivers: providers of IStorageDriver, one module or package each.

They know paths and bytes, nothing of blobs; siblings never import one another.
"""
