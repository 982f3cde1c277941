"""A simulated OpenStreetMap of the city, with the errors that were measured on a real one."""
