"""The train image: a network trained for one step, saved and read back; then a stage of the pipeline."""

from __future__ import annotations

import sys
from pathlib import Path

from checks import absent, clean_tree, command, importable, say

COMPONENTS = ("optical", "distill", "adapt", "evaluate", "promote", "predict", "runs")


def main() -> None:
    """Leave with an error at the first thing that does not work."""
    clean_tree()
    absent("airflow", "pip")
    importable(
        "torch", "torchvision", "triton", "lightning", "segmentation_models_pytorch", "mlflow", "rasterio"
    )
    for component in COMPONENTS:
        command(f"components.{component}", "--help", quiet=True)
    one_step(Path("/work/bundle"))
    # Planned by the data image's test, which left the data in the same object store.
    command("components.runs", "stage", "optical@deeplabv3plus", "--run", "smoke")


def one_step(folder: Path) -> None:
    """Build the student, take one step on noise, save it, and get the same answer from what was read back."""
    import torch  # noqa: PLC0415

    from components.lib.losses.segmentation import cross_entropy, dice_loss  # noqa: PLC0415
    from components.lib.nets.bundle import load_bundle, save_bundle  # noqa: PLC0415
    from components.lib.nets.config import NetworkConfig  # noqa: PLC0415
    from components.lib.nets.factory import build_network  # noqa: PLC0415

    if torch.version.cuda is None:
        sys.exit(f"torch {torch.__version__} is built without CUDA")
    torch.manual_seed(0)
    net = build_network(
        NetworkConfig(kind="deeplabv3plus", encoder="resnet18", decoder_channels=32, sensors=("capella",))
    )
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    tile, footprint = torch.rand(2, 4, 64, 64) * 255, (torch.rand(2, 64, 64) > 0.5).long()
    before = [parameter.detach().clone() for parameter in net.parameters()]
    logits = net(tile)
    (dice_loss(logits, footprint) + cross_entropy(logits, footprint)).backward()
    optimizer.step()
    if all(torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True)):
        sys.exit("a training step changed nothing")
    save_bundle(folder, net.eval(), {})
    with torch.no_grad():
        if not torch.equal(net(tile), load_bundle(folder)(tile)):
            sys.exit("the network that was saved answers differently once read back")
    say(f"torch {torch.__version__} (CUDA {torch.version.cuda}): one step, saved, read back")


if __name__ == "__main__":
    main()
