"""Files of an acquisition as a few large tar shards and one manifest table.

DVC moves many small files slowly: the same bytes as 32 tar shards are pulled about 20 times faster than as
20,406 loose files (measured on two CPUs).
"""
