"""How models learn; torch, numpy and config alone.

Legend: R replicates of a stack, B spectra in a batch, M views, L channels, T tokens, D features, P values of a model.

What a member module of a family provides beside its frozen dataclass ``Settings`` (a setting with ``shapes=True``
is read from `settings`; any other may differ between replicates and is read from ``(R,)`` tensors):

encoders
    ``parameters(settings, length) -> dict[str, Parameter]``, ``outputs(settings, length) -> int`` and
    ``forward(settings, p, x (R, M, L), context) -> (R, M, D)``. ``fit(settings, fitting) -> dict[str, array]`` where
    any parameter is :func:`~spectrosim_search.learning.parameters.fitted`. ``BF16_WIDTH`` where bfloat16 pays on a CPU
    only from that setting `width` on. ``FUSED_ALONE = True`` where a CPU computes one network by a library's own
    program and several by many operations.
heads
    The same with the embedding's size before the length; ``forward(settings, p, h (R, M, D), x (R, M, L), context)``
    sees the spectra too.
objectives
    ``loss(settings, p, batch, context) -> (R,)``. Optional: ``parameters(settings, inputs)`` for a predictor (given as
    `p`), ``TARGET = True`` for a momentum network moved by the setting `momentum`, ``queue(settings) -> int`` for a
    queue of its projections.
augmentations
    ``apply(settings, x (R, M, L), strength (R, 1, 1), random, scene) -> (R, M, L)``; ``Settings`` has `probability`,
    mostly `strength`. Optional: ``fit(settings, fitting) -> dict[str, array]``, found in ``scene.fitted``;
    ``PARTNERS = True`` for ``scene.partners``.

What `fit` returns has shapes that depend on settings with ``shapes=True`` and on L alone. Optional everywhere:
``check(settings) -> list[str]`` names settings that contradict each other.
"""
