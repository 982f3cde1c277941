"""Stage: challenger against champion on clean test ground; register, decide, record, roll back."""
