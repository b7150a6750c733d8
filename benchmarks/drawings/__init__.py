"""The drawings of the documentation: credit on a real episode, and the rooms of the package."""
