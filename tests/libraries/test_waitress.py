"""waitress 3.0: its channels, parser and tasks, and the loop in whose place is ours."""

from __future__ import annotations

from tests.libraries.standing import Standing

STANDING = Standing(
    distribution="waitress",
    module="waitress",
    ours="gateway/servers/waitress_inside.py",
    takes={
        "waitress.server:create_server": "application map _start _sock _dispatcher kw",
        "waitress.server:BaseWSGIServer.pull_trigger": "self",
        "waitress.server:BaseWSGIServer.add_task": "self task",
        "waitress.task:ThreadedTaskDispatcher.shutdown": "self cancel_pending timeout",
        "waitress.task:WSGITask.build_response_header": "self",
        "waitress.task:WSGITask.set_close_on_finish": "self",
        "waitress.channel:HTTPChannel.__init__": "self server sock addr adj map",
        "waitress.channel:HTTPChannel.add_channel": "self map",
        "waitress.channel:HTTPChannel.del_channel": "self map",
        "waitress.channel:HTTPChannel.received": "self data",
        "waitress.channel:HTTPChannel.send_continue": "self",
        "waitress.channel:HTTPChannel.write_soon": "self data",
        "waitress.channel:HTTPChannel.handle_close": "self",
        "waitress.channel:HTTPChannel.readable": "self",
        "waitress.channel:HTTPChannel.writable": "self",
        "waitress.wasyncore:dispatcher.recv": "self buffer_size",
        "waitress.wasyncore:dispatcher.send": "self data do_close",
        "waitress.wasyncore:dispatcher.accept": "self",
        "waitress.wasyncore:read": "obj",
        "waitress.wasyncore:write": "obj",
        "waitress.wasyncore:close_all": "map ignore_all",
        "waitress.parser:HTTPRequestParser.parse_header": "self header_plus",
        "waitress.parser:get_header_lines": "header",
        "waitress.utilities:Error.__init__": "self body",
    },
    written={
        # the listening sockets: what they make, and what they know of it
        "waitress.server:BaseWSGIServer.__init__": (
            "self.active_channels = {}",
            "self.effective_host, self.effective_port",
            "self.task_dispatcher",
        ),
        "waitress.server:BaseWSGIServer.handle_accept": (
            "v = self.accept()",
            "except OSError",
            "self.channel_class(self, conn, addr, self.adj, map=self._map)",
        ),
        "waitress.server:BaseWSGIServer.readable": ("self.adj.connection_limit",),
        # connections: what there is of them at each moment
        "waitress.channel:HTTPChannel": (
            "parser_class = HTTPRequestParser",
            "task_class = WSGITask",
            "request = None",
            "total_outbufs_len = 0",
        ),
        "waitress.channel:HTTPChannel.__init__": (
            "self.requests_lock = threading.Lock()",
            "self.requests = []",
            "self.addr = addr",
            "self.outbufs = [",
        ),
        "waitress.channel:HTTPChannel.add_channel": (
            "self.server.active_channels[self._fileno] = self",
        ),
        "waitress.channel:HTTPChannel.del_channel": ("self._fileno",),
        "waitress.channel:HTTPChannel.received": (
            "self.request = self.parser_class(self.adj)",
            "n = self.request.received(data)",
            "self.requests.append(self.request)",
            "if len(self.requests) == 1:",
            "self.server.add_task(self)",
        ),
        "waitress.channel:HTTPChannel.handle_read": (
            "self.recv(self.adj.recv_bytes)",
            "self.last_activity = time.time()",
        ),
        "waitress.channel:HTTPChannel.service": (
            "task = self.task_class(self, request)",
            "if request.error:",
        ),
        "waitress.channel:HTTPChannel.writable": ("self.total_outbufs_len",),
        # what waits to be sent: all that is done with it
        "waitress.channel:HTTPChannel.write_soon": (
            "if self.current_outbuf_count >= self.adj.outbuf_high_watermark:",
            "self.outbufs[-1].append(data)",
        ),
        "waitress.channel:HTTPChannel._flush_some": (
            "outbuf = self.outbufs[0]",
            "outbuflen = outbuf.__len__()",
            "while outbuflen > 0:",
            "chunk = outbuf.get(self.sendbuf_len)",
            "num_sent = self.send(chunk, do_close=do_close)",
            "outbuf.skip(num_sent, True)",
        ),
        # headers: their names, and what is dropped and joined
        "waitress.parser:HTTPRequestParser": (
            "headers_finished",
            "expect_continue",
            "body_rcv",
        ),
        "waitress.parser:HTTPRequestParser.parse_header": (
            'if b"_" in key:',
            'key.upper().replace(b"-", b"_")',
            '(b", " + value)',
        ),
        "waitress.task:Task.build_response_header": (
            '"-".join([x.capitalize() for x in headername.split("-")])',
        ),
    },
)


def test_waitress_is_as_we_know_it() -> None:
    assert STANDING.moved() == []
