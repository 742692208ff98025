"""Hand-over to the Optuna dashboard: our figures in the study, and the dashboard's server on the loopback address.

The package `optuna-dashboard` is an extra and imported nowhere else. Study and storage are handed in by whoever knows
Optuna (`search.store`).
"""

from __future__ import annotations

import ipaddress
import re
import socket
import sys
import threading
from types import ModuleType
from typing import Any
from wsgiref.simple_server import WSGIServer, make_server

from spectrosim_search.config.errors import InputError, MissingExtraError
from spectrosim_search.report.members import members
from spectrosim_search.search.records import StudyRecord

__all__ = ["attach_figures", "serve"]


def _package() -> ModuleType:
    try:
        import optuna_dashboard
    except ImportError as problem:
        raise MissingExtraError("optuna-dashboard", "dashboard", "the dashboard") from problem
    module: ModuleType = optuna_dashboard
    return module


def attach_figures(optuna_study: Any, record: StudyRecord) -> list[str]:
    """Save the report's figures in an Optuna study, where the dashboard shows them; earlier ones are replaced.

    `optuna_study` is an ``optuna.Study`` whose storage can be written. Returns the names of the figures saved. Search
    scores and leaking protocols are marked in the titles. Raises MissingExtraError without the extra `dashboard`.
    """
    package = _package()
    saved = []
    for member in members(task=record.study.task):
        built = member.standalone(record)
        if built is None:
            continue
        identity = "spectrosim-" + re.sub(r"[^a-z0-9-]", "-", member.name)
        package.save_plotly_graph_object(optuna_study, built, graph_object_id=identity)
        saved.append(member.name)
    return saved


def serve(storage: Any, host: str = "127.0.0.1", port: int = 8080, artifact_store: Any = None) -> None:
    """Serve the dashboard until interrupted, whatever it is answering just then.

    `storage` is a database URL or an Optuna storage. A `host` other than a loopback address lets others in, and the
    dashboard asks for no password: a line on standard error says so. Raises MissingExtraError without the extra
    `dashboard`, InputError where host or port cannot be had.
    """
    package = _package()
    _check(host, port)
    if not _is_loopback(host):
        print(f"Warning: the dashboard on {host} is open to everybody who can reach it.", file=sys.stderr)
    server_class = _Server6 if ":" in host else WSGIServer
    with make_server(host, port, package.wsgi(storage, artifact_store=artifact_store), server_class) as server:
        print(f"Dashboard on http://{host}:{port}/ (Ctrl-C ends it)", file=sys.stderr)
        # Requests are answered in a thread of their own: wsgiref swallows an interrupt that meets it while answering.
        answering = threading.Thread(target=server.serve_forever, daemon=True)
        answering.start()
        try:
            answering.join()
        except KeyboardInterrupt:
            server.shutdown()


class _Server6(WSGIServer):
    address_family = socket.AF_INET6


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check(host: str, port: int) -> None:
    """Find out before the server starts whether it could listen; it would answer with a traceback."""
    if not 0 < port < 65536:
        raise InputError(f"--port {port}: a port lies between 1 and 65535")
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise InputError(
            f"the dashboard cannot listen on {host}:{port} ({reason}); choose another --port or --host"
        ) from (problem)
