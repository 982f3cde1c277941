"""Fetching from an S3 endpoint over real sockets: listing, ranges, faults, changes, credentials."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from components.contract.errors import BadDataError, SourceUnavailableError
from components.download.acquire import acquire
from components.download.catalogue import CatalogueEntry
from components.download.parameters import DownloadParameters
from components.download.publish import publish
from components.download.sources import s3
from components.lib.shards.manifest import read_manifest
from components.lib.shards.reader import ShardReader
from tests.download.endpoint import BUCKET, ROOT, Fault, Proxy, Seen, admin, fail_first, put
from tests.download.release import PREFIX, PRODUCTS, STRAY, entry, release, tarball

SOURCE = f"s3://{BUCKET}/{ROOT}"
ARCHIVE = "tarballs/train.tar.gz"
SAR = f"{PREFIX}SAR-Intensity/"


def fetch(tmp_path: Path, proxy: Proxy, one: CatalogueEntry | None = None, **download: object) -> Path:
    """Acquire and publish; the path of ``data/raw``."""
    values = {
        "endpoint_url": proxy.url,
        "part_mib": 1,
        "shard_mib": 1,
        "timeout_s": 2,
        "attempts": 4,
        **download,
    }
    one = one or entry(SOURCE)
    parameters = DownloadParameters.model_validate(values)
    shards = acquire(one, parameters, staging_root=tmp_path / "staging")
    publish({one.id: shards}, tmp_path / "raw")
    return tmp_path / "raw"


def contents(raw: Path) -> dict[str, bytes]:
    """Bare name -> content, every checksum checked."""
    with ShardReader(raw) as reader:
        return {str(row.name): reader.read(row) for row in read_manifest(raw).itertuples()}


def by_name(files: dict[str, bytes]) -> dict[str, bytes]:
    return {path.split("/")[-1]: content for path, content in files.items()}


def is_sar(seen: Seen) -> bool:
    return "/SAR-Intensity/" in seen.path


def test_listed_files_arrive_whole_in_ranges(tmp_path: Path, proxy: Proxy) -> None:
    files = release(sar_bytes=2_500_000)
    put(proxy.upstream, {**files, **STRAY})
    raw = fetch(tmp_path, proxy)
    assert contents(raw) == by_name(files)
    manifest = read_manifest(raw)
    assert set(manifest["product"]) == set(PRODUCTS)
    assert set(manifest["source"]) == {SOURCE + path for path in files}
    assert manifest.set_index("name")["tile"]["SAR_orientations.txt"] == -1
    assert len(set(manifest["shard"])) > 1
    longest = max(seen.range[1] - seen.range[0] for seen in proxy.ranged if seen.range)
    assert longest == 1 << 20
    assert proxy.body_bytes == sum(map(len, files.values())), "nothing was asked for that is not needed"


def test_a_second_run_transfers_nothing(tmp_path: Path, proxy: Proxy) -> None:
    put(proxy.upstream, release())
    raw = fetch(tmp_path, proxy)
    first = {path.relative_to(raw): path.read_bytes() for path in raw.rglob("*.*")}
    for path in raw.rglob("*.*"):
        path.unlink()  # as DVC does before it runs a stage
    before = len(proxy.ranged)
    assert before > 0
    raw = fetch(tmp_path, proxy)
    assert len(proxy.ranged) == before
    assert {path.relative_to(raw): path.read_bytes() for path in raw.rglob("*.*")} == first


def test_unsigned_requests_carry_no_credentials(
    tmp_path: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASECRET")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    put(proxy.upstream, release())
    fetch(tmp_path, proxy)
    assert len(proxy.log) > 5
    for seen in proxy.log:
        assert "authorization" not in seen.headers
        assert "x-amz-security-token" not in seen.headers
        assert "AKIASECRET" not in str(seen)


def test_a_private_source_is_signed_with_the_usual_credentials(
    tmp_path: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMINE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    put(proxy.upstream, release())
    fetch(tmp_path, proxy, entry(SOURCE, anonymous=False))
    assert all("Credential=AKIAMINE/" in seen.headers["authorization"] for seen in proxy.log)


def test_the_endpoint_of_the_environment_is_honoured(
    tmp_path: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
    put(proxy.upstream, release())
    assert contents(fetch(tmp_path, proxy, endpoint_url=None)) == by_name(release())
    assert proxy.ranged


def test_a_mirror_stands_in_for_the_catalogue_source(tmp_path: Path, proxy: Proxy) -> None:
    put(proxy.upstream, release(), root="mine/")
    raw = fetch(tmp_path, proxy, mirrors={"tiny": f"s3://{BUCKET}/mine"})
    assert contents(raw) == by_name(release())
    assert read_manifest(raw)["source"].str.startswith(f"s3://{BUCKET}/mine/train/").all()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=503, code="SlowDown"),
        Fault(status=503, code="ServiceUnavailable"),
        Fault(cut_after=20_000),
        Fault(cut_after=0),
        Fault(stall_s=1.5),
    ],
    ids=lambda fault: f"{fault.status}-{fault.cut_after}-{fault.stall_s}",
)
def test_passing_faults_are_overcome(tmp_path: Path, proxy: Proxy, fault: Fault) -> None:
    files = release()
    put(proxy.upstream, files)
    proxy.fault = fail_first(2, fault, lambda seen: seen.range is not None and is_sar(seen))
    assert contents(fetch(tmp_path, proxy, timeout_s=0.7)) == by_name(files)


def test_a_broken_body_is_continued_not_repeated(tmp_path: Path, proxy: Proxy) -> None:
    files = release(tiles=1)
    put(proxy.upstream, files)
    proxy.fault = fail_first(1, Fault(cut_after=100_000), is_sar)
    fetch(tmp_path, proxy)
    assert [seen.range for seen in proxy.ranged if is_sar(seen)] == [(0, 150_000), (100_000, 150_000)]


def test_a_faulty_listing_is_tried_again(tmp_path: Path, proxy: Proxy) -> None:
    put(proxy.upstream, release())
    proxy.fault = fail_first(2, Fault(status=503, code="SlowDown"), lambda seen: seen.range is None)
    assert contents(fetch(tmp_path, proxy)) == by_name(release())


@pytest.mark.parametrize(
    "fault", [Fault(status=500), Fault(status=503, code="SlowDown"), Fault(cut_after=10)]
)
def test_lasting_faults_name_the_object_and_keep_what_arrived(
    tmp_path: Path, proxy: Proxy, fault: Fault
) -> None:
    files = release()
    put(proxy.upstream, files)
    proxy.fault = lambda seen: fault if is_sar(seen) and "8001" in seen.path else None
    with pytest.raises(SourceUnavailableError, match=r"SAR-Intensity.*tile_8001\.tif: given up after 4"):
        fetch(tmp_path, proxy, workers=1)
    assert not (tmp_path / "raw").exists()
    arrived = {seen.key for seen in proxy.ranged if seen.sent > 10}
    proxy.fault, proxy.log = lambda _: None, []
    assert contents(fetch(tmp_path, proxy)) == by_name(files)
    assert arrived
    assert not arrived & {seen.key for seen in proxy.ranged}


def test_a_trickling_body_counts_as_stalled(
    tmp_path: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(proxy.upstream, release(tiles=1))
    proxy.fault = lambda seen: Fault(trickle=True) if is_sar(seen) else None
    monkeypatch.setattr(s3, "SLOWEST", 10_000)
    with pytest.raises(SourceUnavailableError, match=r"tile_8000\.tif: given up after 2 tries .*bytes in"):
        fetch(tmp_path, proxy, timeout_s=0.3, attempts=2)


def test_nothing_listens(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailableError, match=f"s3://{BUCKET}/.*given up after 2 tries"):
        acquire(
            entry(SOURCE),
            DownloadParameters(endpoint_url="http://127.0.0.1:9", attempts=2, timeout_s=1),
            staging_root=tmp_path,
        )


def test_a_forbidden_object_is_not_tried_again(tmp_path: Path, proxy: Proxy) -> None:
    put(proxy.upstream, release())
    proxy.fault = lambda seen: Fault(status=403, code="AccessDenied") if "8001" in seen.path else None
    with pytest.raises(SourceUnavailableError, match=r"8001.*: 403 AccessDenied"):
        fetch(tmp_path, proxy, workers=1)
    assert len([seen for seen in proxy.log if "8001" in seen.path]) == 1


def test_an_object_changed_between_runs_is_fetched_anew_and_only_its_shard(
    tmp_path: Path, proxy: Proxy
) -> None:
    files = release(tiles=4, sar_bytes=1_100_000)
    put(proxy.upstream, files)
    raw = fetch(tmp_path, proxy)
    changed = f"{SAR}SN6_Train_AOI_11_Rotterdam_SAR-Intensity_20190804111224_20190804111453_tile_8002.tif"
    files[changed] = bytes(len(files[changed]))
    put(proxy.upstream, {changed: files[changed]})
    shard = read_manifest(raw).set_index("name")["shard"]
    proxy.log = []
    assert contents(fetch(tmp_path, proxy)) == by_name(files)
    fetched = {seen.key.split("/")[-1] for seen in proxy.ranged}
    name = Path(changed).name
    assert name in fetched
    assert {shard[one] for one in fetched} == {shard[name]}
    assert len(set(shard)) > 3


def test_an_object_that_changes_under_the_transfer_is_listed_again(tmp_path: Path, proxy: Proxy) -> None:
    files = release(tiles=1, sar_bytes=3_000_000)
    put(proxy.upstream, files)
    sar = next(path for path in files if "/SAR-Intensity/" in path)

    def swap(seen: Seen) -> None:
        if seen.range is not None and seen.range[0] == 1 << 20 and len(files[sar]) != 2_900_000:
            files[sar] = bytes(2_900_000)
            put(proxy.upstream, {sar: files[sar]})

    proxy.fault = swap
    assert contents(fetch(tmp_path, proxy, workers=1)) == by_name(files)
    assert Counter(seen.range for seen in proxy.ranged if is_sar(seen))[(0, 1 << 20)] == 2


def test_an_object_that_never_rests_is_given_up(tmp_path: Path, proxy: Proxy) -> None:
    put(proxy.upstream, release(tiles=1))
    sar = f"{SAR}SN6_Train_AOI_11_Rotterdam_SAR-Intensity_20190804111224_20190804111453_tile_8000.tif"
    count = iter(range(1, 100))

    def churn(seen: Seen) -> None:
        if seen.range is not None and is_sar(seen):
            put(proxy.upstream, {sar: bytes(next(count))})

    proxy.fault = churn
    with pytest.raises(SourceUnavailableError, match=r"tile_8000\.tif: it changed in each of 3 tries"):
        fetch(tmp_path, proxy, workers=1)


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_a_checksum_of_the_catalogue_is_enforced(tmp_path: Path, proxy: Proxy, kind: str) -> None:
    files = release(tiles=1)
    put(proxy.upstream, files)
    sar = next(path for path in files if "/SAR-Intensity/" in path)
    right = hashlib.new(kind, files[sar]).hexdigest()
    one = entry(SOURCE, objects=[{"key": sar, kind: right, "size": len(files[sar])}])
    assert contents(fetch(tmp_path / "right", proxy, one)) == by_name(files)
    wrong = entry(SOURCE, objects=[{"key": sar, kind: "0" * len(right)}])
    with pytest.raises(BadDataError, match=r"tile_8000\.tif: fetched twice, without the checksum"):
        fetch(tmp_path / "wrong", proxy, wrong)
    assert not (tmp_path / "wrong" / "raw").exists()
    with pytest.raises(BadDataError, match=r"has 150000 bytes, the catalogue says 7"):
        fetch(tmp_path / "size", proxy, entry(SOURCE, objects=[{"key": sar, "size": 7}]))


def test_bytes_spoilt_on_the_way_are_fetched_again(tmp_path: Path, proxy: Proxy) -> None:
    files = release(tiles=1)
    put(proxy.upstream, files)
    staging = tmp_path / "staging" / "tiny" / "partial"
    spoil = [True]

    def on_request(seen: Seen) -> None:
        # The SAR object comes last (sorted); by then the optical bytes lie in the partial shard.
        if spoil and is_sar(seen):
            spoil.clear()
            shard = staging / "shard-000.tar"
            data = bytearray(shard.read_bytes())
            at = data.find(next(c for p, c in files.items() if "PS-RGB" in p)[:64])
            assert at > 0
            data[at] ^= 1
            with shard.open("r+b") as handle:
                handle.write(data)

    proxy.fault = on_request
    assert contents(fetch(tmp_path, proxy, workers=1)) == by_name(files)
    assert len([seen for seen in proxy.ranged if "PS-RGB" in seen.path]) == 2


def test_a_multipart_etag_is_no_md5(tmp_path: Path, proxy: Proxy) -> None:
    files = release(tiles=1)
    put(proxy.upstream, files)
    sar = next(path for path in files if "/SAR-Intensity/" in path)
    client = admin(proxy.upstream)
    content = bytes(6 << 20)
    upload = client.create_multipart_upload(Bucket=BUCKET, Key=ROOT + sar, ACL="public-read")
    parts = []
    for number, piece in enumerate((content[: 5 << 20], content[5 << 20 :]), start=1):
        answer = client.upload_part(
            Bucket=BUCKET, Key=ROOT + sar, UploadId=upload["UploadId"], PartNumber=number, Body=piece
        )
        parts.append({"ETag": answer["ETag"], "PartNumber": number})
    client.complete_multipart_upload(
        Bucket=BUCKET, Key=ROOT + sar, UploadId=upload["UploadId"], MultipartUpload={"Parts": parts}
    )
    assert "-2" in client.head_object(Bucket=BUCKET, Key=ROOT + sar)["ETag"]
    assert contents(fetch(tmp_path, proxy))[sar.split("/")[-1]] == content


@pytest.mark.parametrize("listing", ["empty", "forbidden", "too few tiles"])
def test_the_tarball_is_the_other_way(tmp_path: Path, proxy: Proxy, listing: str) -> None:
    files = release()
    packed = tarball({**STRAY, **files})
    put(proxy.upstream, {ARCHIVE: packed})
    if listing == "too few tiles":
        put(proxy.upstream, release(tiles=2))
    if listing == "forbidden":
        proxy.fault = lambda seen: Fault(status=403, code="AccessDenied") if seen.query else None
    one = entry(
        SOURCE,
        archive=ARCHIVE,
        tiles=3,
        objects=[{"key": ARCHIVE, "md5": hashlib.md5(packed, usedforsecurity=False).hexdigest()}],
    )
    raw = fetch(tmp_path, proxy, one)
    assert contents(raw) == by_name(files)
    assert set(read_manifest(raw)["source"]) == {f"{SOURCE}{ARCHIVE}#{path}" for path in files}
    assert proxy.body_bytes == len(packed)
    assert not list((tmp_path / "staging").rglob("archive")), "the staged tarball is gone"
    proxy.log = []
    assert contents(fetch(tmp_path, proxy, one)) == by_name(files)
    assert not proxy.ranged, "a second run transfers nothing"


def test_a_tarball_with_the_wrong_md5_is_refused_and_fetched_anew(tmp_path: Path, proxy: Proxy) -> None:
    packed = tarball(release())
    put(proxy.upstream, {ARCHIVE: packed})
    one = entry(SOURCE, archive=ARCHIVE, objects=[{"key": ARCHIVE, "md5": "0" * 32}])
    for _ in range(2):
        proxy.log = []
        with pytest.raises(BadDataError, match=r"train\.tar\.gz: md5 .* expected 0000"):
            fetch(tmp_path, proxy, one)
        assert proxy.body_bytes == len(packed)
    assert not (tmp_path / "raw").exists()


def test_neither_listing_nor_tarball(tmp_path: Path, proxy: Proxy) -> None:
    with pytest.raises(
        SourceUnavailableError, match=r"neither a listing below .* nor .*train\.tar\.gz \(404"
    ):
        fetch(tmp_path, proxy, entry(SOURCE, archive=ARCHIVE))
    with pytest.raises(SourceUnavailableError, match="no SAR-Intensity, PS-RGB, Buildings, Summary file"):
        fetch(tmp_path, proxy)
    with pytest.raises(SourceUnavailableError, match=r"no listing .*NoSuchBucket"):
        fetch(tmp_path, proxy, entry("s3://another-bucket/x/"))
