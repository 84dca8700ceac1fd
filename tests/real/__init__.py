"""Real clients and servers, one module a noun; what a test starts, it stops."""
