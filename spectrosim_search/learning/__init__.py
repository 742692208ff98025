"""How models learn; torch, numpy and config alone.

Legend: R replicates of a stack, B spectra in a batch, M views, L channels, T tokens, D features, P values of a model.

What a member module of a family provides beside its frozen dataclass ``Settings`` (a setting with ``shapes=True``
is read from `settings`; any other may differ between replicates and is read from ``(R,)`` tensors):

encoders
    ``parameters(settings, length) -> dict[str, Parameter]``, ``outputs(settings, length) -> int`` and
    ``forward(settings, p, x (R, M, L), context) -> (R, M, D)``.
heads
    The same with the embedding's size before the length; ``forward(settings, p, h (R, M, D), x (R, M, L), context)``
    sees the spectra too.
objectives
    ``loss(z (R, M, D), positive (R, M, M), negative (R, M, M), values) -> (R,)``.
augmentations
    ``apply(x (R, M, L), strength (R, 1, 1), random) -> (R, M, L)``; ``Settings`` has `probability`, mostly `strength`.

Optional: ``check(settings) -> list[str]`` names settings that contradict each other.
"""
