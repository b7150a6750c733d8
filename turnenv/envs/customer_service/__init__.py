"""CustomerService: the environment (`env`) beside its world and data."""

from turnenv.envs.customer_service.env import CustomerService, make_vector

__all__ = ["CustomerService", "make_vector"]
