"""Landed acquisitions compared with the ledger, read straight from the object store."""
