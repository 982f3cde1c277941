"""What was registered, claimed, trained: events in one chain, a pure fold, and the rules of claiming.

The chain is ``ledger/operations`` of the object store. Nothing else decides what is to be trained: events of
an orchestrator may get lost, come twice or out of order.
"""
