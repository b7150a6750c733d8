"""What every part that speaks to a server shares: one event loop, connections, a cache of answers."""
