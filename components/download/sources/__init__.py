"""Where acquisitions come from: one small interface, one declared implementation per URI scheme."""
