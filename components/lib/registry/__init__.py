"""Models in MLflow's registry, and the tamper-evident history of their champions.

Only ``components.lib.registry.loading`` (networks from the registry) needs torch.
"""
