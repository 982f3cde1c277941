"""Sources of acquisitions: one small interface, one declared implementation per URI scheme."""
