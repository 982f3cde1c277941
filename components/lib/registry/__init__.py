"""Models in MLflow's registry, and the tamper-evident history of their champions.

``components.lib.registry.loading`` (networks from the registry) is imported by name: it brings torch.
"""
