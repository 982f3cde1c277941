from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from PIL import Image

from components.lib.report.content import Panel
from components.lib.report.figures import draw_curve, draw_overview
from components.lib.report.panels import (
    BUILDING,
    FALSE_ALARM,
    MISSED,
    difference_panel,
    optical_picture,
    outline_panel,
    probability_panel,
    sar_picture,
    save_png,
    truth_panel,
)

BLACK = np.zeros((20, 20, 3), dtype=np.uint8)


def near(pixel: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixel.astype(int) - np.array(colour)).max() <= 40)


def test_optical_channels_go_back_to_red_green_blue() -> None:
    stored = np.zeros((2, 2, 4), dtype=np.uint8)
    stored[...] = (3, 1, 1, 2)  # B, R, R, G
    assert optical_picture(stored)[0, 0].tolist() == [1, 2, 3]


def test_sar_no_data_stays_black_and_valid_pixels_do_not() -> None:
    tile = np.random.default_rng(0).integers(90, 160, (30, 30, 4), dtype=np.uint8)
    tile[:10] = 0
    picture = sar_picture(tile)
    assert (picture[:10] == 0).all()
    assert (picture[10:] > 0).all()
    assert picture.max() == 255
    assert (sar_picture(np.zeros((4, 4, 4), dtype=np.uint8)) == 0).all()


def test_differences_have_three_colours() -> None:
    truth, predicted = np.zeros((20, 20), dtype=bool), np.zeros((20, 20), dtype=bool)
    truth[:, :10] = True
    predicted[:, 5:15] = True
    panel = difference_panel(truth, predicted, BLACK)
    assert near(panel[0, 2], MISSED)
    assert near(panel[0, 7], BUILDING)
    assert near(panel[0, 12], FALSE_ALARM)
    assert (panel[0, 18] == 0).all()
    assert near(truth_panel(truth, BLACK)[0, 0], BUILDING)


def test_outlines_leave_the_inside_alone() -> None:
    square = shapely.box(2, 2, 17, 17)
    panel = outline_panel(BLACK, [([square, shapely.MultiPolygon([square])], MISSED)], width=1)
    assert panel[2, 10].tolist() == list(MISSED)
    assert panel[10, 10].tolist() == [0, 0, 0]


def test_probability_grows_brighter() -> None:
    panel = probability_panel(np.array([[0.0, 0.5, 1.0]])).astype(int).sum(axis=-1)[0]
    assert panel[0] < panel[1] < panel[2]


def test_pictures_are_shrunk_to_the_page(tmp_path: Path) -> None:
    save_png(tmp_path / "a.png", np.zeros((900, 600, 3), dtype=np.uint8), side=300)
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (200, 300)


def test_figures_are_the_same_bytes_for_the_same_numbers(tmp_path: Path) -> None:
    curve = pd.DataFrame({"step": [1, 2, 3], "loss": [3.0, 2.0, 1.0]})
    panels = [Panel(title=f"P{k}", picture=BLACK, alt="black") for k in range(6)]
    sizes = []
    for name in ("a", "b"):
        draw_curve(tmp_path / f"{name}-curve.png", curve)
        sizes.append(draw_overview(tmp_path / f"{name}-overview.png", panels, "Simulated."))
    for figure in ("curve", "overview"):
        first, second = (tmp_path / f"{name}-{figure}.png" for name in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()
    with Image.open(tmp_path / "a-overview.png") as image:
        assert image.width > 4 * image.height
        assert sizes[0] == sizes[1]
        assert image.width > sizes[0][0], "drawn finer than shown"
