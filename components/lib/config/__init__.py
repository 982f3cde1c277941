"""Reading ``params.yaml`` into typed, checked parameters."""
