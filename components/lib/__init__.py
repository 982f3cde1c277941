"""What the stages share: one folder or module per concept, importing no stage."""
