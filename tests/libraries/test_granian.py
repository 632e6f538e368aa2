"""granian 2.8: its parent process, whose loop is ours, and who takes signals."""

from __future__ import annotations

import inspect
import re

import pytest

from tests.libraries.standing import Standing

STANDING = Standing(
    distribution="granian",
    module="granian",
    ours="gateway/servers/granian_inside.py",
    public=("gateway/servers/granian.py",),
    takes={
        "granian.server.mp:MPServer.serve": "self spawn_target target_loader wrap_loader",
        "granian.server.mp:MPServer._spawn_worker": "self idx target callback_loader",
        "granian.server.mp:MPServer._spawn_wsgi_worker": (
            "worker_id callback sock ipc loop runtime_mode runtime_threads"
            " runtime_blocking_threads blocking_threads blocking_threads_idle_timeout"
            " backpressure task_impl http_mode http1_settings http2_settings websockets"
            " static_path log_access_fmt ssl_ctx scope_opts metrics"
        ),
        "granian.server.mp:WorkerProcess._id": "self",
        "granian.wsgi:_callback_wrapper": "callback scope_opts access_log_fmt",
        "granian.server.common:AbstractServer.on_startup": "self hook",
        "granian.server.common:AbstractServer._serve_loop": "self spawn_target target_loader",
        "multiprocessing.util:Finalize.__init__": "self obj callback args kwargs exitpriority",
    },
    written={
        # the loop that is ours, and what wakes it
        "granian.server.common:AbstractServer._serve": (
            "self._serve_loop(spawn_target, target_loader)",
        ),
        "granian.server.common:AbstractServer.__init__": (
            "self.wrks",
            "self.main_loop_interrupt = threading.Event()",
            "self.interrupt_signal = False",
            "self.interrupt_children = []",
        ),
        "granian.server.common:AbstractWorker._watcher": (
            "self.parent.interrupt_children.append(self.idx)",
            "self.parent.main_loop_interrupt.set()",
        ),
        "granian.server.common:AbstractWorker.__init__": ("self.birth = time.monotonic()",),
        "granian.server.mp:WorkerProcess._spawn": ("self.inner = ",),
        "granian.server.mp:WorkerProcess.kill": ("self.interrupt_by_parent = True",),
        # a worker calls the loader after it was spawned, before it listens
        "granian.server.mp:WorkerProcess.wrap_target": ("callback = callback_loader()",),
        # signals: a thread of ours calls the parent's handler; a worker's is Python's
        "granian.server.common:AbstractServer.signal_handler_interrupt": (
            "self.interrupt_signal = True",
            "self.main_loop_interrupt.set()",
        ),
        "granian.server.common:AbstractServer.startup": (
            "set_main_signals(self.signal_handler_interrupt",
            "self._init_shared_socket()",
        ),
        # what a worker gets, and does with it: ours does the same, for each listener
        "granian.server.common:AbstractServer.build_ssl_context": (
            "self.ssl_ctx = (False, None, None, None, str(proto), None, [], False)",
        ),
        "granian.server.mp:MPServer._spawn_worker": ("((self._ssp, self._shd), self._sso)",),
        "granian.server.mp:MPServer._spawn_wsgi_worker": (
            "_wsgi_call_wrap(callback, scope_opts, log_access_fmt)",
            "WSGIWorker( worker_id, sock, ipc, runtime_threads, runtime_blocking_threads,"
            " blocking_threads, blocking_threads_idle_timeout, backpressure, http_mode,"
            " http1_settings, http2_settings, static_path, *ssl_ctx, metrics, )",
            "serve(scheduler, loop, shutdown_event)",
        ),
        # how a worker ends, and what a server that stops ends with
        "multiprocessing.util:_exit_function": ("_run_finalizers(0)",),
        "granian.server.common:AbstractServer.shutdown": (
            "self._drop_shared_socket()",
            "sys.exit(exit_code)",
        ),
    },
)


def test_granian_is_as_we_know_it() -> None:
    assert STANDING.moved() == []


def test_what_is_ours_of_its_parent_hides_nothing_of_it() -> None:
    """But the four methods that are meant to."""
    pytest.importorskip("granian")
    from granian.server.mp import MPServer

    from gateway.servers.granian_inside import Supervisor
    from gateway.servers.granian_parent import Parent

    written = re.compile(r"self\.(\w+)(?:, self\.\w+)*(?:: [^=\n]+)? =|, self\.(\w+) =")

    def names(*classes: type) -> set[str]:
        found = {name for one in classes for name in vars(one) if not name.startswith("__")}
        sources = "".join(inspect.getsource(one) for one in classes)
        return found | {name for pair in written.findall(sources) for name in pair if name}

    its = names(*[one for one in MPServer.__mro__ if one.__module__.startswith("granian")])
    assert {"wrks", "_ssp", "interrupt_signal", "startup"} < its
    assert names(Supervisor, Parent) & its - {"_ssp", "_shd", "_sso"} == {
        "_serve_loop",
        "_spawn_worker",
        "_init_shared_socket",
        "_drop_shared_socket",
    }
