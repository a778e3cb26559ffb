"""Puts trained weights into the package: the file, and a card with what `vdeblur evaluate` measured of it.

    vdeblur evaluate --blurry VAL/blurry --sharp VAL/sharp --weights runs/NAME/last.safetensors --json > evaluation.json
    python -m vdeblur_fast.training.ship runs/NAME/last.safetensors evaluation.json --data "what it was trained on" \
        --validation "what was evaluated" --magnitude runs/MMP/last.json
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from vdeblur_fast import weights
from vdeblur_fast.errors import UserError, told

from .checkpoint import written_whole
from .export import commit


def make_card(trained: dict[str, Any], evaluation: dict[str, Any], data: str, validation: str) -> dict[str, Any]:
    """The card of weights to ship.

    trained: the card that training wrote. evaluation: what `vdeblur evaluate --json` printed. data, validation: in
    words.

    Raises UserError where the two speak of different networks.
    """
    if evaluation["model"] != trained["network"]:
        raise UserError(f"the evaluation is of {evaluation['model']} and the weights are of {trained['network']}")
    mean, clips = evaluation["mean"], evaluation["clips"]
    measured = {
        "what": validation,
        "clips": len(clips),
        "frames": mean["frames"],
        "psnr_before": mean["psnr_before"],
        "psnr_after": mean["psnr_after"],
        "gain": mean["psnr_gain"],
        "ssim_before": mean["ssim_before"],
        "ssim_after": mean["ssim_after"],
        "least_gain": min(clip["psnr_gain"] for clip in clips),
        "worse_clips": sum(clip["worse"] for clip in clips),
        "precision": evaluation["precision"],
    }
    return {**trained, "data": data, "commit": trained["commit"] or commit(), "validation": measured}


@told("vdeblur")
def main(argv: list[str] | None = None) -> int | None:
    """Writes NAME.safetensors and NAME.json; 0 when done, 2 for a mistake of the user's."""
    parser = argparse.ArgumentParser(prog="python -m vdeblur_fast.training.ship", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("weights", type=Path, help="a .safetensors file of a training, its card beside it")
    add("evaluation", type=Path, help="what `vdeblur evaluate --json` printed of it")
    add("--data", required=True, help="what it was trained on, in words")
    add("--history", help="how it came to be, where that took more than one training, in words")
    add("--validation", required=True, help="what was evaluated, in words")
    add("--magnitude", type=Path, help="the card of the MMP-Net that was trained before")
    add("--out", type=Path, default=weights.FOLDER, help="folder of the weights that ship")
    options = parser.parse_args(argv)
    trained = _json(options.weights.with_suffix(".json"))
    if hashlib.sha256(content := options.weights.read_bytes()).hexdigest() != trained["sha256"]:
        raise UserError(f"{options.weights} is not the file that its card describes; export it again")
    card = make_card(trained, _json(options.evaluation), options.data, options.validation)
    if options.history:
        card["history"] = options.history
    if options.magnitude:
        card["magnitude_net"] = {k: v for k, v in _json(options.magnitude).items() if k not in ("data", "sha256")}
    for suffix, part in ((".safetensors", content), (".json", (json.dumps(card, indent=2) + "\n").encode())):
        with written_whole(options.out / f"{card['network']}{suffix}") as file:
            file.write_bytes(part)


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as JSON ({error}); write it as the module's text says") from error


if __name__ == "__main__":
    sys.exit(main())
