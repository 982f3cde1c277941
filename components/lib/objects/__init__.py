"""Named blobs in an S3 bucket or in a folder, alike for the caller: the pipeline's only shared state.

``components.lib.objects.s3`` is imported only when an ``s3://`` URI is opened: it brings boto3.
"""
