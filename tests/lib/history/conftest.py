from tests.object_stores import bucket, s3_environment, s3_url, store, store_uri

__all__ = ["bucket", "s3_environment", "s3_url", "store", "store_uri"]
