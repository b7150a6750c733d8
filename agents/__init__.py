"""Agents and the recipes that train them."""
