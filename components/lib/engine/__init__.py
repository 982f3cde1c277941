"""Training shared by every stage: parameters, the loop on Lightning Fabric, checkpoints, schedules."""
