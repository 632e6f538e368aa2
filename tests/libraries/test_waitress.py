"""waitress 3.0: its parser and its tasks, and what they ask of channels and servers."""

from __future__ import annotations

from tests.libraries.standing import Standing

STANDING = Standing(
    distribution="waitress",
    module="waitress",
    ours="gateway/servers/waitress_inside.py",
    takes={
        "waitress.parser:HTTPRequestParser.__init__": "self adj",
        "waitress.parser:HTTPRequestParser.received": "self data",
        "waitress.parser:HTTPRequestParser.parse_header": "self header_plus",
        "waitress.parser:HTTPRequestParser.close": "self",
        "waitress.parser:get_header_lines": "header",
        "waitress.receiver:FixedStreamReceiver.__init__": "self cl buf",
        "waitress.receiver:ChunkedReceiver.__init__": "self buf",
        "waitress.task:Task.__init__": "self channel request",
        "waitress.task:Task.service": "self",
        "waitress.task:Task.write": "self data",
        "waitress.task:Task.finish": "self",
        "waitress.task:WSGITask.get_environment": "self",
        "waitress.task:Task.build_response_header": "self",
        "waitress.utilities:build_http_date": "when",
        "waitress.task:WSGITask.set_close_on_finish": "self",
        "waitress.utilities:Error.__init__": "self body",
    },
    written={
        # what is asked of the receivers' buffers
        "waitress.receiver:FixedStreamReceiver": ("self.buf.append(data)", "self.buf.__len__()"),
        "waitress.receiver:ChunkedReceiver": ("self.buf.append(to_write)",),
        "waitress.parser:HTTPRequestParser.get_body_stream": ("body_rcv.getfile()",),
        "waitress.parser:HTTPRequestParser.close": ("body_rcv.getbuf().close()",),
        # a request, as it comes
        "waitress.parser:HTTPRequestParser": (
            "completed = False",
            "empty = False",
            "headers_finished",
            "expect_continue",
            "body_rcv",
            "error = None",
        ),
        "waitress.parser:HTTPRequestParser.received": (
            "self.parse_header(header_plus)",
            "return consumed",
        ),
        # headers: their names, and what is dropped and joined
        "waitress.parser:HTTPRequestParser.parse_header": (
            'if b"_" in key:',
            'key.upper().replace(b"-", b"_")',
            '(b", " + value)',
        ),
        "waitress.task:Task": ("has_body", "close_on_finish = False", "chunked_response = False"),
        # tasks: what they do in which order, and what they ask of channels
        "waitress.task:Task.service": (
            "self.execute()",
            "self.finish()",
            "except OSError:",
            "self.close_on_finish = True",
            "self.channel.adj.log_socket_errors",
        ),
        "waitress.task:Task.write": (
            "rh = self.build_response_header()",
            "channel.write_soon(rh)",
            "if self.chunked_response:",
            "self.wrote_header = True",
            "self.content_bytes_written += len(towrite)",
            "channel.write_soon(towrite)",
        ),
        "waitress.task:Task.finish": ('self.channel.write_soon(b"0\\r\\n\\r\\n")',),
        "waitress.task:WSGITask.execute": (
            "self.channel.server.application(environ, start_response)",
            "for chunk in app_iter:",
            "self.write(chunk)",
            "app_iter.close()",
        ),
        "waitress.task:WSGITask.get_environment": (
            "channel.addr[0]",
            "server.effective_port",
            "server.server_name",
            "server.adj.url_prefix",
            "self.channel.check_client_disconnected",
        ),
        "waitress.task:ErrorTask.execute": ("self.channel.server.adj.ident",),
    },
)


def test_waitress_is_as_we_know_it() -> None:
    assert STANDING.moved() == []
