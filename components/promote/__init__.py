"""Stage: compare challenger and champion on clean test ground; register, decide, record, roll back."""
