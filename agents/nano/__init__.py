"""The nano policy: a small language model that starts weak at searching, and the recipe that makes it."""
