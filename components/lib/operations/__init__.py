"""Registered, claimed and trained acquisitions: events in one chain, a pure fold, the rules of claiming.

The chain is ``ledger/operations`` of the object store. Nothing else decides what is to be trained: events of
an orchestrator may get lost, come twice or out of order.
"""
