"""Dashboard: pages for people on duty, from records, ledgers, catalogues and the checkout, without a cluster.

Every page is HTML drawn here, works without scripts, and is the same served or exported. A source that cannot
be read is a notice on the page: it never hides what the other sources hold. Nothing is written to any source.
"""
