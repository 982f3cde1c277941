"""Road graphs: lines of files, their faults, and the graph of junctions that they make."""
