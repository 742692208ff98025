"""Convolutions along the spectrum with a leading replicate axis: channels last, written by hand.

Legend: R replicates, M views, L channels of the spectrum, T places along it, C features of a place, K kernel size.
Declarations list tensors in the order in which they are drawn; `prefix` starts their names.

Norms take their statistics over all places and features of one spectrum (group norm with one group, Wu and He 2018): a
norm at each place alone would remove how high a peak stands beside the others, which is what a spectrum says.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.learning.layers import Context, layer_norm, linear
from spectrosim_search.learning.layers_transformer import Position, place, positions
from spectrosim_search.learning.parameters import Parameter, bias, gain, weight

__all__ = [
    "activated",
    "convolution",
    "convolve",
    "largest",
    "normalisation",
    "normalise",
    "read_regions",
    "region_count",
    "region_reader",
    "shortened",
    "start",
    "stem",
    "summarise",
]


def shortened(length: int, stride: int) -> int:
    """Return the number of places a convolution of this stride leaves of `length`."""
    return -(-length // stride)


def convolution(inputs: int, outputs: int, kernel: int, prefix: str, *, scale: float = 1.0) -> dict[str, Parameter]:
    """Declare the weights of a convolution, taps before features; it has no bias, as a norm or a position follows."""
    return {prefix + "weight": weight(kernel * inputs, outputs, scale=scale)}


def convolve(x: Tensor, kernel: Tensor, stride: int = 1) -> Tensor:
    """Convolve x ``(R, M, T, C)`` with a kernel ``(R, K C, O)`` → ``(R, M, ⌈T / stride⌉, O)``, zeros beyond both ends.

    For one replicate on a CPU this is the library's convolution with the channels last; otherwise blocks of `stride`
    places are laid side by side and multiplied (im2col), which stacks into one batched product where the library
    would need a grouped convolution. Forward and backward of 32 rows, 520 × 32 → 260 × 32 with K = 5, one thread of an
    AVX-512 processor: the product takes 2.1 times the library's time in float32 and 1.3 times in bfloat16 (1.7 to 2.1
    and 1.0 to 1.1 at the shorter stages); with the channels first the library itself takes 1.3 and 1.5 times as long.
    """
    replicates, rows, length, features = x.shape
    taps, outputs = kernel.shape[1] // features, kernel.shape[2]
    before, after = (taps - 1) // 2, taps // 2
    # taps that only ever see zeros beyond the ends get gradients of unwritten memory from the library in bfloat16
    # (torch 2.13), so short inputs take the product, which costs next to nothing there
    if replicates == 1 and x.device.type == "cpu" and length >= taps + stride:
        image = x[0] if before == after else F.pad(x[0], (0, 0, before, after))
        weights = kernel.view(1, taps, features, outputs).permute(3, 2, 0, 1)
        if outputs == 1:  # by its strides channels last as well, for which the library has no gradient of weights
            weights = weights.contiguous()
        padding = (0, before if before == after else 0)
        out = F.conv2d(image.transpose(1, 2).unsqueeze(2), weights, stride=(1, stride), padding=padding)
        return out.squeeze(2).transpose(1, 2).unsqueeze(0)
    places, blocks = shortened(length, stride), -(-taps // stride)
    end = (places + blocks - 1) * stride - length - before  # below 0: places that no tap reaches
    cut = F.pad(x, (0, 0, before, end)).reshape(replicates, rows, places + blocks - 1, stride * features)
    widths = [min(stride, taps - b * stride) * features for b in range(blocks)]
    beside = [cut[:, :, b : b + places, :size] for b, size in enumerate(widths)]
    return linear(beside[0] if blocks == 1 else torch.cat(beside, dim=-1), kernel)


def normalisation(width: int, prefix: str) -> dict[str, Parameter]:
    """Declare scale and shift of a norm by feature."""
    return {prefix + "gain": gain(width), prefix + "bias": bias(width)}


def normalise(x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
    """Normalise every row of x ``(R, M, T, C)`` over places and features; scale and shift ``(R, C)`` by feature."""
    shape = x.shape[-2:]
    if scale is None or shift is None:
        return F.layer_norm(x, shape)
    if x.shape[0] == 1:  # the fused kernel does scale and shift in the same pass
        return F.layer_norm(x, shape, scale.expand(shape), shift.expand(shape))
    return torch.addcmul(shift[:, None, None], F.layer_norm(x, shape), scale[:, None, None])


def activated(p: Mapping[str, Tensor], x: Tensor, prefix: str) -> Tensor:
    """Return x ``(R, M, T, C)`` normalised, scaled, shifted and through a GELU."""
    return F.gelu(normalise(x, p[prefix + "gain"], p[prefix + "bias"]))


def stem(position: Position, length: int, width: int, kernel: int, stride: int) -> dict[str, Parameter]:
    """Declare the first convolution over `length` channels and the scale and shift by place behind it."""
    return convolution(1, width, kernel, "stem.") | positions(position, shortened(length, stride), width)


def start(p: Mapping[str, Tensor], x: Tensor, position: Position, stride: int, context: Context) -> Tensor:
    """Turn spectra x ``(R, M, L)`` into features ``(R, M, ⌈L / stride⌉, C)``, normalised and marked by their place.

    A convolution answers alike wherever a shape stands; on an axis of m/z or wavelength the place is the meaning.
    """
    h = convolve(x.unsqueeze(-1), p["stem.weight"], stride)
    return place(p, normalise(h), position, stride, context)


def _blocks(x: Tensor, size: int, fill: float) -> Tensor:
    """Cut x ``(R, M, T, C)`` into neighbouring places ``(R, M, ⌈T / size⌉, size, C)``, the last block filled up."""
    replicates, rows, length, features = x.shape
    count = shortened(length, size)
    if count * size > length:
        x = F.pad(x, (0, 0, 0, count * size - length), value=fill)
    return x.reshape(replicates, rows, count, size, features)


def largest(x: Tensor, size: int) -> Tensor:
    """Keep the largest of every `size` neighbouring places: x ``(R, M, T, C)`` → ``(R, M, ⌈T / size⌉, C)``."""
    return _blocks(x, size, -torch.inf).amax(dim=3)


def region_count(places: int, regions: int) -> int:
    """Return how many regions of equal size (the last may be shorter) there are: `regions` or fewer."""
    return shortened(places, shortened(places, regions))


def region_reader(places: int, width: int, regions: int, out: int) -> dict[str, Parameter]:
    """Declare what turns `places` places of `width` features into an embedding of `out` features."""
    pooled = 2 * width * region_count(places, regions)
    return normalisation(pooled, "norm.") | {"out.weight": weight(pooled, out), "out.bias": bias(out)}


def summarise(x: Tensor, regions: int) -> Tensor:
    """Return mean and maximum of each feature of x ``(R, M, T, C)`` in each region of the axis ``(R, M, 2 C regions)``.

    The mean tells how much there is of a feature, the maximum whether it is there at all.
    """
    replicates, rows, places = x.shape[:3]
    size = shortened(places, regions)
    total, peak = _blocks(x, size, 0.0).sum(dim=3), largest(x, size)
    filled = torch.full((total.shape[2], 1), 1 / size, dtype=x.dtype, device=x.device)
    filled[-1] = 1 / (places - (total.shape[2] - 1) * size)
    return torch.cat([total * filled, peak], dim=-1).reshape(replicates, rows, -1)


def read_regions(p: Mapping[str, Tensor], x: Tensor, regions: int, context: Context) -> Tensor:
    """Embed what regions of x ``(R, M, T, C)`` hold → ``(R, M, out)``. Dropout acts on their summary."""
    pooled = layer_norm(summarise(context.show(x), regions), p["norm.gain"], p["norm.bias"])
    return linear(context.dropout(pooled), p["out.weight"], p["out.bias"])
