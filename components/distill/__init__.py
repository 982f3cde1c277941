"""The SAR network: DisOptNet's distillation from the optical teacher, and the SAR-only control."""
