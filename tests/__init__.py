"""The tests: unit (in memory, a fake clock) and real (clients and servers)."""
