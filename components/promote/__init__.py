"""Stage: compare challenger and champion on clean test tiles; register, decide, record, roll back."""
