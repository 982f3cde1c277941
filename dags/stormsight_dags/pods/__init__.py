"""Stages as pods: what a pod is made of, how its end is read, and how often a failure may be tried again."""
