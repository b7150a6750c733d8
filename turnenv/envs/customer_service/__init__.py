"""CustomerService: the environment (`env`), its tools (`desk`), the customer and the scenarios."""

from turnenv.envs.customer_service.env import CustomerService, make_vector

__all__ = ["CustomerService", "make_vector"]
