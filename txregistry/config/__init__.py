"""Configuration: YAML and environment in, frozen settings or a ConfigError out.

One module a section; knows nothing of the parts that the settings are for.
"""
