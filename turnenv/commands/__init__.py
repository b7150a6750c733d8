"""The commands of `turnenv`, one module each; nothing here is meant to be imported by other code."""
