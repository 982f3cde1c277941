from __future__ import annotations

import torch

from components.lib.architectures.two_branch import SCSE, FeatureFusion


def test_scse_by_hand() -> None:
    torch.manual_seed(0)
    gate = SCSE(32)
    x = torch.randn(2, 32, 5, 7)
    squeeze, excite = gate.channel_gate[1], gate.channel_gate[3]
    pooled = x.mean((2, 3))
    hidden = torch.relu(pooled @ squeeze.weight[:, :, 0, 0].T + squeeze.bias)  # type: ignore[index, operator]
    channel = torch.sigmoid(hidden @ excite.weight[:, :, 0, 0].T + excite.bias)  # type: ignore[index, operator]
    one = gate.spatial_gate[0]
    spatial = torch.sigmoid(torch.einsum("bchw,c->bhw", x, one.weight[0, :, 0, 0]) + one.bias)  # type: ignore[index, operator]
    expected = x * channel[:, :, None, None] + x * spatial[:, None]
    assert torch.allclose(gate(x), expected, atol=1e-6)


def test_scse_of_the_reference_squeezes_256_to_16() -> None:
    assert SCSE(256).channel_gate[1].weight.shape == (16, 256, 1, 1)
    assert sum(p.numel() for p in SCSE(256).parameters()) == (256 * 16 + 16) + (16 * 256 + 256) + 257


def test_fusion_has_its_three_gates_and_a_merge_without_bias() -> None:
    fusion = FeatureFusion(256)
    assert sum(p.numel() for p in fusion.parameters()) == 3 * (256 * 32 + 16 + 256 + 257) + 512 * 256 + 512
    s, r = torch.randn(1, 256, 4, 4), torch.randn(1, 256, 4, 4)
    fusion.eval()
    merged = fusion.merge(torch.cat([fusion.recalibrate_s(s), fusion.recalibrate_r(r)], 1))
    assert torch.equal(fusion(s, r), fusion.recalibrate(merged))
    assert not torch.equal(fusion(s, r), fusion(r, s)), "the two maps have gates of their own"
