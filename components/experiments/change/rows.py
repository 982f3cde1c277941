"""Rows of the comparison of change networks: a method with its changes to the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Group = Literal["networks", "exchange", "dates"]

SMALL_ENCODER = "timm-mobilenetv3_small_minimal_100"

REFERENCE = "sgsln_8"
"""Row that the ablations and the kinds of images differ from in one thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table.

    Attributes:
        name: Name in files and on the command line.
        label: Name in the table.
        group: Table that it belongs to: whole networks, where dates exchange channels, kinds of images.
        method: Change method.
        overrides: Overlay on the profile's sections.
    """

    name: str
    label: str
    group: Group
    method: str
    overrides: Mapping[str, Any] = field(default_factory=dict)


def _sgsln(name: str, label: str, group: Group, change: Mapping[str, Any] | None = None, **own: Any) -> Row:  # noqa: ANN401 - values of params.yaml
    """Return a row of SGSLN with a first stage of 8 channels, unless ``own`` says otherwise."""
    overrides = {"methods": {"sgsln": {"width": 8, **own}}, "change": dict(change or {})}
    return Row(name=name, label=label, group=group, method="sgsln", overrides=overrides)


def _siamese(name: str, label: str, **own: Any) -> Row:  # noqa: ANN401 - as above
    overrides = {"methods": {"siamese_unet": own}}
    return Row(name=name, label=label, group="networks", method="siamese_unet", overrides=overrides)


ROWS: tuple[Row, ...] = (
    _sgsln(REFERENCE, "SGSLN, width 8", "networks"),
    _sgsln("sgsln_16", "SGSLN, width 16", "networks", width=16),
    _sgsln("sgsln_32", "SGSLN, width 32", "networks", width=32),
    _siamese("siamese_small", "Siamese U-Net, MobileNetV3", encoder=SMALL_ENCODER, width=16),
    _siamese("siamese", "Siamese U-Net, MobileNetV2", encoder="mobilenet_v2", width=32),
    Row(name="exchange_unet", label="U-Net with exchange", group="networks", method="exchange_unet"),
    _sgsln("exchange_none", "no exchange", "exchange", exchange="none"),
    _sgsln("exchange_early", "early exchange (stride 2)", "exchange", exchange="early"),
    _sgsln("exchange_quarter", "every fourth channel", "exchange", exchange_every=4),
    _sgsln("optical_sar", "optical before, SAR after", "dates", {"before": "optical", "after": "sar"}),
    _sgsln("sar_sar", "SAR before, SAR after", "dates", {"before": "sar", "after": "sar"}),
)  # fmt: skip
"""All rows. ``siamese_small`` has about the operations of SGSLN's width 8, the controls with MobileNetV2 have
about the parameters of its width 32. Rows of the groups ``exchange`` and ``dates`` differ from ``REFERENCE``
in one thing."""
