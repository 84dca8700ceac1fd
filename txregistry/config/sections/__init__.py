"""Sections: the settings, one module for each top-level key of the configuration.

Pure values; each attribute is declared with one of the functions of ``config.fields``.
Where nothing else is said, an attribute is a key that the Go registry knows by its name
and that this version only reads; the Go registry's documentation says what it means.
"""
