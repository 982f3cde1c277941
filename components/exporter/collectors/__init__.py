"""Collectors, a module for each subject: functions of the sources and of the readings that they add to."""
