"""granian 2.8: its parent process, whose loop is ours, and who takes signals."""

from __future__ import annotations

from tests.libraries.standing import Standing

STANDING = Standing(
    distribution="granian",
    module="granian",
    ours=("gateway/servers/granian.py", "gateway/servers/granian_parent.py"),
    takes={
        "granian.server.mp:MPServer.serve": "self spawn_target target_loader wrap_loader",
        "granian.server.mp:MPServer._spawn_worker": "self idx target callback_loader",
        "granian.server.mp:WorkerProcess._id": "self",
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
        # a worker calls the loader after it was spawned, before it listens
        "granian.server.mp:WorkerProcess.wrap_target": ("callback = callback_loader()",),
        # signals: a thread of ours calls the parent's handler; a worker's is Python's
        "granian.server.common:AbstractServer.signal_handler_interrupt": (
            "self.interrupt_signal = True",
            "self.main_loop_interrupt.set()",
        ),
        "granian.server.common:AbstractServer.startup": (
            "set_main_signals(self.signal_handler_interrupt",
        ),
        "granian.server.mp:MPServer._spawn_wsgi_worker": ("set_sync_signals()",),
        "granian._signals:set_sync_signals": ("set_main_signals(signal_handler)",),
        "granian._signals:set_main_signals": ("signal.signal(sig, interrupt_handler)",),
        # how a worker ends, and what a server that stops ends with
        "multiprocessing.process:BaseProcess._bootstrap": ("util._exit_function()",),
        "granian.server.common:AbstractServer.shutdown": ("sys.exit(exit_code)",),
    },
)


def test_granian_is_as_we_know_it() -> None:
    assert STANDING.moved() == []
