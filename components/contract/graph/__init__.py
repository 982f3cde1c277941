"""The graph of ``dvc.yaml`` as DVC would run it, read without importing DVC."""
