"""The version of turnenv."""

__version__ = "0.1.0"
