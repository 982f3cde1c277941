"""False alarms and power of the drift test, on acquisitions of the simulated world."""
