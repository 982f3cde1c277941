from __future__ import annotations

import pytest

from tests.pages import foreign_resources, links


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.example/vega.js"></script>',
        "<img src=//cdn.example/a.png>",
        '<link rel="stylesheet" href="http://cdn.example/a.css">',
        "<style>@import 'https://cdn.example/a.css';</style>",
        "<style>p { background: url(https://cdn.example/a.png) }</style>",
    ],
)
def test_what_another_host_would_serve_is_found(text: str) -> None:
    assert foreign_resources(text)


def test_links_to_follow_are_no_resources() -> None:
    text = '<a href="https://example.org">x</a><img src="a.png"><a href="../b.html">y</a>'
    assert foreign_resources(text) == []
    assert links(text) == ["https://example.org", "../b.html"]
