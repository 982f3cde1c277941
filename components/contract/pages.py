"""Published pages: where the dashboard's archive lies in the object store."""

from __future__ import annotations

DASHBOARD = "dashboard/site.zip"
"""Archive of all pages, written as a whole: nobody reads a page of one look beside one of another."""
