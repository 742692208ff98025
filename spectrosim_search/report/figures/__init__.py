"""One figure a file, found by its registry.

A figure is a module with

- ``TITLE``: its heading; ``ORDER``: its place; ``SECTION``: ``"result"``, ``"search"`` or ``"process"``
- ``CAPTION``: one or two plain sentences that say how to read it
- ``build(record: StudyRecord) -> plotly.graph_objects.Figure | None``: None where the record lacks what it shows
- ``missing(record: StudyRecord) -> str``: why, in one line

Colours come from :mod:`spectrosim_search.report.theme`, so that they change with the reader's light or dark setting.
Text from outside goes through :func:`spectrosim_search.report.marks.plot_text`.
"""
