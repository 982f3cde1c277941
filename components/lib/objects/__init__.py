"""Named blobs in an S3 bucket or in a folder, alike for the caller: the pipeline's only shared state.

``components.lib.objects.s3`` is imported only when an ``s3://`` URI is opened: it brings boto3.
"""

from components.lib.objects.opening import landing_from_environment, objects_from_environment, open_objects
from components.lib.objects.protocol import ObjectInfo, Objects, ObjectStore, get_many
from components.lib.objects.sealed import canonical, create_sealed, read_sealed, seal, unseal

__all__ = [
    "ObjectInfo",
    "ObjectStore",
    "Objects",
    "canonical",
    "create_sealed",
    "get_many",
    "landing_from_environment",
    "objects_from_environment",
    "open_objects",
    "read_sealed",
    "seal",
    "unseal",
]
