"""Pairs of one's own in the layout of SGSLN's code: ``{train,val,test}/{t1,t2,label}``, one name for all.

Source of the layout: docs/methods/change.md; there every value but 0 is change, here labels of more than two
values are refused.
"""

from __future__ import annotations

from components.lib.change.datasets.base import ImagePart, LabelPart, PairDataset

GENERIC = PairDataset(
    name="pairs",
    title="pairs of one's own",
    before=ImagePart(folders=("t1",)),
    after=ImagePart(folders=("t2",)),
    labels=(LabelPart(folders=("label",)),),
    meaning="whatever was labelled as change",
    gsd_m=None,
    pairs={},
    side_px=None,
    licence="that of the images",
    citation="none is known",
    sources="layout: description of SGSLN's code in the project's reference, section 4.4",
)
"""Two-valued labels, three-band 8-bit images; black is a colour."""

GEOREFERENCED = PairDataset(
    name="georeferenced-pairs",
    title="georeferenced pairs of one's own",
    before=ImagePart(folders=("t1",)),
    after=ImagePart(folders=("t2",)),
    labels=(LabelPart(folders=("label",)),),
    meaning="whatever was labelled as change",
    black_is_no_data=True,
    gsd_m=None,
    pairs={},
    side_px=None,
    licence="that of the images",
    citation="none is known",
    sources="layout as of the data set pairs",
)
"""The same, but a pixel that is 0 in all bands has no data, as at the edge of a satellite image."""
