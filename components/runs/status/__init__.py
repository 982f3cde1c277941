"""State of the whole pipeline on one page, for the person on duty; nothing is written.

A source that cannot be read is a line that says so: it never hides what the other sources hold.
"""
