"""The wire table: every way of writing a request, each with its answers and with what it leaves behind."""

from typing import NamedTuple

from tests.collector.attacks.tools import by_v2
from tests.collector.conftest import PATH

X = "SessionUUID=x"
LENGTH = f"Content-Length: {len(X)}\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
CHUNKS = f"d\r\n{X}\r\n0\r\n\r\n"
POST = f"POST {PATH} HTTP/1.1\r\n"
GET = f"GET {PATH}?{X} HTTP/1.1\r\n"


class Row(NamedTuple):
    """A request, the answers in their order, and what it leaves behind; ``{signed}`` is a genuine V2 signature."""

    octets: str
    statuses: tuple[int, ...]
    callbacks: int = 0
    kept: int = 0
    is_open: bool = True


def taken(octets: str) -> Row:
    """A request that is stored."""
    return Row(octets, (200,), callbacks=1)


def kept(octets: str) -> Row:
    """A proved request that cannot be read."""
    return Row(octets, (200,), kept=1)


def refused(status: int, octets: str) -> Row:
    """A request that is answered, and whose connection goes on."""
    return Row(octets, (status,))


def closed(status: int, octets: str) -> Row:
    """A request after which nobody can say where the next one begins."""
    return Row(octets, (status,), is_open=False)


def posted(body: str, headers: str = "") -> str:
    """A signed POST."""
    return f"{POST}{{signed}}{headers}Content-Length: {len(body)}\r\n\r\n{body}"


def queried(query: str) -> str:
    """A signed GET."""
    return f"GET {PATH}?{query} HTTP/1.1\r\n{{signed}}\r\n"


LENGTHS = {
    "a length and a body": taken(posted(X)),
    "no length and no body": refused(403, f"{POST}\r\n"),
    "no length and no body, signed": kept(f"{POST}{{signed}}\r\n"),
    "a length of nothing": kept(f"{POST}{{signed}}Content-Length: 0\r\n\r\n"),
    "a length with zeros before it": taken(f"{POST}{{signed}}Content-Length: 00013\r\n\r\n{X}"),
    "a length one below the limit": kept(posted("x" * 65_535)),
    "a length at the limit": closed(413, f"{POST}{{signed}}Content-Length: 65536\r\n\r\n"),
    "a length over the limit, and its body": closed(413, posted("x" * 200_000)),
    "a length beyond every integer": closed(413, f"{POST}Content-Length: {'9' * 30}\r\n\r\n"),
    "a length of five thousand digits": closed(400, f"{POST}Content-Length: {'9' * 5_000}\r\n\r\n"),
    "two lengths": closed(400, f"{POST}{{signed}}Content-Length: 13\r\nContent-Length: 12\r\n\r\n{X}"),
    "the same length twice": closed(400, f"{POST}{{signed}}{LENGTH}{LENGTH}\r\n{X}"),
    "two lengths in one": closed(400, f"{POST}{{signed}}Content-Length: 13, 13\r\n\r\n{X}"),
    **{
        f"a length of {length!r}": closed(400, f"{POST}{{signed}}Content-Length: {length}\r\n\r\n{X}")
        for length in ("-1", "+13", "0x0d", "1_3", "1e1", "13.0", "13 13", "", "\xb2", "x", "13;", '"13"')
    },
    "a length before the colon": closed(400, f"{POST}{{signed}}Content-Length : 13\r\n\r\n{X}"),
    "a length with an underscore": Row(f"{POST}{{signed}}Content_Length: 13\r\n\r\n", (200,), kept=1),
}
CODINGS = {
    "chunks": taken(f"{POST}{{signed}}{CHUNKED}\r\n{CHUNKS}"),
    "chunks in capitals": taken(f"{POST}{{signed}}TRANSFER-ENCODING:CHUNKED \r\n\r\nD\r\n{X}\r\n000\r\n\r\n"),
    "a chunk for each byte": taken(
        f"{POST}{{signed}}{CHUNKED}\r\n" + "".join(f"1\r\n{letter}\r\n" for letter in X) + "0\r\n\r\n"
    ),
    "chunks with extensions": taken(f'{POST}{{signed}}{CHUNKED}\r\nd;a=b;c="d"\r\n{X}\r\n0;e\r\n\r\n'),
    "chunks with a trailer that is no header": taken(
        f"{POST}{{signed}}{CHUNKED}\r\nd\r\n{X}\r\n0\r\nContent-Length: 5\r\nX-Plivo-Signature-V2: x\r\n\r\n"
    ),
    "a signature in the trailer": refused(403, f"{POST}{CHUNKED}\r\nd\r\n{X}\r\n0\r\n{{signed}}\r\n"),
    "chunks over the limit": closed(
        413, f"{POST}{{signed}}{CHUNKED}\r\nfff0\r\n" + "x" * 0xFFF0 + "\r\nff\r\n" + "x" * 255 + "\r\n0\r\n\r\n"
    ),
    "a trailer over the limit": closed(
        413, f"{POST}{{signed}}{CHUNKED}\r\nd\r\n{X}\r\n0\r\n" + "X: y\r\n" * 20_000 + "\r\n"
    ),
    "an extension over the limit": closed(
        413, f"{POST}{{signed}}{CHUNKED}\r\nd;" + "x" * 100_000 + f"\r\n{X}\r\n0\r\n\r\n"
    ),
    "a chunk that is longer than it says": closed(400, f"{POST}{{signed}}{CHUNKED}\r\nc\r\n{X}\r\n0\r\n\r\n"),
    **{
        f"a chunk of {size!r} bytes": closed(400, f"{POST}{{signed}}{CHUNKED}\r\n{size}\r\n{X}\r\n0\r\n\r\n")
        for size in ("-d", "+d", "0xd", "d ", " d", "1_0", "x", "\xb2", ";")
    },
    "a length beside the chunks": closed(400, f"{POST}{{signed}}{LENGTH}{CHUNKED}\r\n{CHUNKS}"),
    "chunks beside the length": closed(400, f"{POST}{{signed}}{CHUNKED}{LENGTH}\r\n{CHUNKS}"),
    "chunks in an old version": closed(400, f"POST {PATH} HTTP/1.0\r\n{{signed}}{CHUNKED}\r\n{CHUNKS}"),
    "chunks in an old version that stays": closed(
        400, f"POST {PATH} HTTP/1.0\r\nConnection: keep-alive\r\n{{signed}}{CHUNKED}\r\n{CHUNKS}"
    ),
    **{
        f"a coding of {coding!r}": closed(400, f"{POST}{{signed}}Transfer-Encoding: {coding}\r\n\r\n{CHUNKS}")
        for coding in ("chunked, chunked", "", ",", "chunked,", ",chunked", "\x0bchunked", "chunked\x00")
    },
    "an empty coding beside a length": closed(400, f"{POST}{{signed}}Transfer-Encoding:\r\n{LENGTH}\r\n{X}"),
    "chunks twice": closed(400, f"{POST}{{signed}}{CHUNKED}{CHUNKED}\r\n{CHUNKS}"),
    "a coding before the colon": closed(400, f"{POST}{{signed}}Transfer-Encoding : chunked\r\n\r\n{CHUNKS}"),
    "a coding in a folded line": closed(400, f"{POST}{{signed}}Transfer-Encoding:\r\n chunked\r\n\r\n{CHUNKS}"),
    **{
        f"a coding called {coding!r}": closed(501, f"{POST}{{signed}}Transfer-Encoding: {coding}\r\n\r\n{CHUNKS}")
        for coding in ("gzip", "gzip, chunked", "chunked, gzip", "identity", "xchunked", "chunked;q=1", "\xa0chunked")
    },
    "a coding with an underscore": taken(f"{POST}{{signed}}Transfer_Encoding: chunked\r\n{LENGTH}\r\n{X}"),
}
LINES = {
    "no HTTP at all": closed(400, "hello\r\n\r\n"),
    "a greeting of TLS": closed(400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "the preface of HTTP/2": closed(400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/0.9": closed(400, f"GET {PATH}?{X}\r\n\r\n"),
    "HTTP/0.9 with headers": closed(400, f"GET {PATH}?{X}\r\n{{signed}}\r\n"),
    **{
        f"version {version}": closed(400, f"POST {PATH} {version}\r\n{{signed}}{LENGTH}\r\n{X}")
        for version in (
            "HTTP/2.0",
            "HTTP/1.2",
            "HTTP/0.9",
            "HTTP/1",
            "HTTP/11",
            "http/1.1",
            "HTTP/1.1x",
            "HTTP/-1.1",
            "ICY/1.1",
        )
    },
    "an old version": Row(f"GET {PATH}?{X} HTTP/1.0\r\n{{signed}}\r\n", (200,), callbacks=1, is_open=False),
    "an old version that stays": taken(f"GET {PATH}?{X} HTTP/1.0\r\nConnection: keep-alive\r\n{{signed}}\r\n"),
    "a small method": closed(400, f"post {PATH} HTTP/1.1\r\n{{signed}}{LENGTH}\r\n{X}"),
    "a method beyond ASCII": closed(400, f"P\xd6ST {PATH} HTTP/1.1\r\n\r\n"),
    "no method": closed(400, f"{PATH} HTTP/1.1\r\n\r\n"),
    "no target": closed(400, "GET HTTP/1.1\r\n\r\n"),
    "two spaces": closed(400, f"POST  {PATH} HTTP/1.1\r\n{{signed}}{LENGTH}\r\n{X}"),
    "tabs for spaces": closed(400, f"POST\t{PATH}\tHTTP/1.1\r\n{{signed}}{LENGTH}\r\n{X}"),
    "a space in the target": closed(400, f"GET {PATH}?SessionUUID=x y HTTP/1.1\r\n{{signed}}\r\n"),
    "a NUL in the path": closed(400, f"GET {PATH}\x00 HTTP/1.1\r\n{{signed}}\r\n"),
    "a NUL in the query": closed(400, queried("SessionUUID=x\x00")),
    "a tab in the query": closed(400, queried("SessionUUID=x\ty")),
    "an escape in the path": closed(400, f"GET \x1b{PATH} HTTP/1.1\r\n{{signed}}\r\n"),
    "a delete in the path": closed(400, f"GET {PATH}\x7f HTTP/1.1\r\n{{signed}}\r\n"),
    "a byte beyond ASCII in the path": closed(400, f"GET {PATH}\xff HTTP/1.1\r\n{{signed}}\r\n"),
    "a byte beyond ASCII in the query": closed(400, queried("SessionUUID=\xc3\xa9")),
    "lines that end in a line feed alone": closed(400, f"{GET}{{signed}}\r\n".replace("\r\n", "\n")),
    "a line feed alone in a header": closed(400, f"{POST}X: a\nY: b\r\n\r\n"),
    "a carriage return alone in a header": closed(400, f"{POST}X: a\rY: b\r\n\r\n"),
    "a line feed alone in the first line": closed(400, f"POST {PATH} HTTP/1.1\nX: a\r\n\r\n"),
    "empty lines before it": taken(f"\r\n\r\n{posted(X)}"),
    "a hundred empty lines": taken("\r\n" * 100 + posted(X)),
}
HEADERS = {
    "a NUL in a header": closed(400, f"{POST}X: a\x00b\r\n{{signed}}{LENGTH}\r\n{X}"),
    "a NUL in a name": closed(400, f"{POST}X\x00: a\r\n{{signed}}{LENGTH}\r\n{X}"),
    "an escape in a header": closed(400, f"{POST}X: a\x1b[2Jb\r\n{{signed}}{LENGTH}\r\n{X}"),
    "bytes beyond ASCII in a header": taken(f"{POST}X: \xff\xfe\r\n{{signed}}{LENGTH}\r\n{X}"),
    "bytes beyond ASCII in a name": closed(400, f"{POST}X\xff: a\r\n{{signed}}{LENGTH}\r\n{X}"),
    "a folded header": closed(400, f"{POST}X: a\r\n b\r\n{{signed}}{LENGTH}\r\n{X}"),
    "a header folded by a tab": closed(400, f"{POST}X: a\r\n\tb\r\n{{signed}}{LENGTH}\r\n{X}"),
    "a folded signature": closed(400, f"{POST}{LENGTH}X-Plivo-Signature-V2:\r\n x\r\n\r\n{X}"),
    "a first header that is folded": closed(400, f"{POST} X: a\r\n{{signed}}{LENGTH}\r\n{X}"),
    "a header without a colon": closed(400, f"{POST}x\r\n{{signed}}{LENGTH}\r\n{X}"),
    "a header without a name": closed(400, f"{POST}: x\r\n{{signed}}{LENGTH}\r\n{X}"),
    "a name with a space": closed(400, f"{POST}X Y: a\r\n{{signed}}{LENGTH}\r\n{X}"),
    "headers over the limit": closed(431, f"{POST}X: " + "x" * 16_384 + "\r\n\r\n"),
    "headers of a megabyte": closed(431, f"{POST}X: " + "x" * 1_000_000 + "\r\n\r\n"),
    "headers just over the limit": closed(431, f"{POST}{{signed}}X: " + "x" * 16_300 + f"\r\n{LENGTH}\r\n{X}"),
    "headers just below the limit": taken(f"{POST}{{signed}}X: " + "x" * 16_000 + f"\r\n{LENGTH}\r\n{X}"),
    "five thousand headers": closed(431, POST + "".join(f"X{n}: y\r\n" for n in range(5_000)) + "\r\n"),
    "a header five thousand times": closed(431, POST + "X: y\r\n" * 5_000 + "\r\n"),
    "a thousand headers": taken(POST + "".join(f"X{n}: y\r\n" for n in range(1_000)) + f"{{signed}}{LENGTH}\r\n{X}"),
    "two hosts": taken(f"{POST}Host: a\r\nHost: b\r\n{{signed}}{LENGTH}\r\n{X}"),
    "no host": taken(posted(X)),
    "a host that is none": taken(f"{POST}Host: ][:99999999 \xff\r\n{{signed}}{LENGTH}\r\n{X}"),
    "an empty host": taken(f"{POST}Host:\r\n{{signed}}{LENGTH}\r\n{X}"),
    "a signature given twice": refused(403, f"{POST}{{signed}}{{signed}}{LENGTH}\r\n{X}"),
    "an upgrade to a websocket": taken(f"{POST}Upgrade: websocket\r\nConnection: Upgrade\r\n{{signed}}{LENGTH}\r\n{X}"),
    "an upgrade to HTTP/2": taken(
        f"{POST}Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n{{signed}}{LENGTH}\r\n{X}"
    ),
    "a wish to close": Row(f"{POST}Connection: close\r\n{{signed}}{LENGTH}\r\n{X}", (200,), callbacks=1, is_open=False),
    "a range and a condition": taken(f"{GET}Range: bytes=0-0\r\nIf-None-Match: *\r\n{{signed}}\r\n"),
    "odd cookies": taken(f"{POST}Cookie: \xff=;;;=\r\n{{signed}}{LENGTH}\r\n{X}"),
    "an expectation, met": Row(f"{POST}Expect: 100-continue\r\n{{signed}}{LENGTH}\r\n{X}", (100, 200), callbacks=1),
    "an expectation without a body": refused(403, f"{POST}Expect: 100-continue\r\n\r\n"),
    "an expectation of a GET": taken(f"{GET}Expect: 100-continue\r\n{{signed}}\r\n"),
    "an expectation over the limit": closed(413, f"{POST}Expect: 100-continue\r\nContent-Length: 1048576\r\n\r\n"),
    "an expectation of something else": taken(f"{POST}Expect: magic\r\n{{signed}}{LENGTH}\r\n{X}"),
}
TARGETS = {
    "an absolute target": taken(f"POST http://else.example{PATH} HTTP/1.1\r\n{{signed}}{LENGTH}\r\n{X}"),
    "an absolute target with a user": taken(
        f"POST http://u:p@else.example{PATH} HTTP/1.1\r\n{{signed}}{LENGTH}\r\n{X}"
    ),
    "an absolute target with an odd port": taken(f"GET http://else.example:99999{PATH}?{X} HTTP/1.1\r\n{{signed}}\r\n"),
    "an absolute target without a path": refused(404, "GET http://else.example HTTP/1.1\r\n\r\n"),
    "an absolute target that is no address": closed(400, f"GET http://[{PATH}?{X} HTTP/1.1\r\n{{signed}}\r\n"),
    "an address in half brackets": closed(400, "GET http://[::1 HTTP/1.1\r\n\r\n"),
    "a target that begins with two slashes": refused(404, f"POST /{PATH} HTTP/1.1\r\n{{signed}}\r\n"),
    "two slashes and half brackets": refused(404, "GET //[::1 HTTP/1.1\r\n\r\n"),
    "a fragment": kept(f"GET {PATH}#?{X} HTTP/1.1\r\n{{signed}}\r\n"),
    "the star": refused(404, "OPTIONS * HTTP/1.1\r\n\r\n"),
    "CONNECT": refused(404, "CONNECT else.example:443 HTTP/1.1\r\n\r\n"),
    "OPTIONS": refused(405, f"OPTIONS {PATH} HTTP/1.1\r\n{{signed}}\r\n"),
    "TRACE": refused(405, f"TRACE {PATH} HTTP/1.1\r\nX: else.example\r\n\r\n"),
    "HEAD": refused(405, f"HEAD {PATH} HTTP/1.1\r\n{{signed}}\r\n"),
    "a method nobody knows": refused(405, f"BREW {PATH} HTTP/1.1\r\n{{signed}}\r\n"),
    "a URL of 64 KB": closed(431, f"GET {PATH}?" + "x" * 65_536 + " HTTP/1.1\r\n\r\n"),
    "a path of 64 KB": closed(431, "GET " + "/x" * 32_768 + " HTTP/1.1\r\n\r\n"),
    "a long path": refused(404, "GET " + "/x" * 4_000 + " HTTP/1.1\r\n\r\n"),
}
BODIES = {
    "a GET with a body": taken(f"{GET}{{signed}}Content-Length: 13\r\n\r\nSessionUUID=y"),
    "a GET with chunks": taken(f"{GET}{{signed}}{CHUNKED}\r\nd\r\nSessionUUID=y\r\n0\r\n\r\n"),
    "a GET without a query": kept(f"GET {PATH} HTTP/1.1\r\n{{signed}}\r\n"),
    "a POST with a query": taken(f"POST {PATH}?SessionUUID=y HTTP/1.1\r\n{{signed}}{LENGTH}\r\n{X}"),
    "JSON": kept(posted('{"SessionUUID": "x"}', "Content-Type: application/json\r\n")),
    "a form that says it is JSON": kept(posted(X, "Content-Type: application/json\r\n")),
    "JSON that says it is a form": kept(
        posted('{"SessionUUID": "x"}', "Content-Type: application/x-www-form-urlencoded\r\n")
    ),
    "multipart": kept(
        posted(
            '--b\r\nContent-Disposition: form-data; name="SessionUUID"\r\n\r\nx\r\n--b--\r\n',
            "Content-Type: multipart/form-data; boundary=b\r\n",
        )
    ),
    "multipart without its boundary": kept(posted(X, "Content-Type: multipart/form-data\r\n")),
    "two types": kept(posted(X, "Content-Type: text/plain\r\nContent-Type: application/x-www-form-urlencoded\r\n")),
    "a type that is none": kept(posted(X, "Content-Type: \xff/\x81;;=\r\n")),
    "another charset, which a form has not": taken(
        posted(X, "Content-Type: application/x-www-form-urlencoded; charset=utf-16\r\n")
    ),
    "gzip": kept(
        posted("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00", "Content-Encoding: gzip\r\n")
    ),
    "a form that says it is gzip": kept(posted(X, "Content-Encoding: gzip\r\n")),
    "a form that says it is identical": taken(posted(X, "Content-Encoding: identity\r\n")),
    "a field twice": kept(posted(f"{X}&{X}")),
    "a field twice with another value": kept(posted(f"{X}&SessionUUID=y")),
    "a name in small letters": kept(posted("sessionuuid=x")),
    "sixty-four fields": taken(posted(X + "&a=b" * 63)),
    "sixty-five fields": kept(posted(X + "&a=b" * 64)),
    "thirty thousand fields": kept(posted("&a" * 30_000)),
    "nothing but separators": kept(posted("&" * 60_000)),
    "nothing but percent signs": kept(posted("%" * 60_000)),
    "bytes that are no UTF-8": kept(posted(f"{X}&a=\xff")),
    "escapes that are no UTF-8": kept(posted(f"{X}&a=%ff")),
    "an overlong slash": kept(posted(f"{X}&a=%c0%af")),
    "half a surrogate pair": kept(posted(f"{X}&a=%ed%a0%80")),
    "a NUL": kept(posted(f"{X}\x00")),
    "an escaped NUL": kept(posted(f"{X}%00")),
    "a byte order mark before it": kept(posted(f"\xef\xbb\xbf{X}")),
    "UTF-16": kept(posted("\xff\xfe" + "\x00".join(X))),
    "an empty session": kept(posted("SessionUUID=")),
    "a session of spaces": kept(posted("SessionUUID=+%20%09")),
    "a session that is too long": kept(posted("SessionUUID=" + "x" * 256)),
    "empty pieces": taken(posted(f"&&{X}&&")),
    "broken escapes": taken(posted(f"{X}&a=%zz%")),
    "a quote of SQL": taken(posted(f"{X}&Channel='%3B+DROP+TABLE+callbacks%3B--")),
}
SERIES = {
    "three at once": Row(posted(X) + posted(X) + queried(X), (200, 200, 200), callbacks=3),
    "three at once, the second unsigned": Row(
        f"{posted(X)}{POST}{LENGTH}\r\n{X}{posted(X)}", (200, 403, 200), callbacks=2
    ),
    "three at once, the second at no place": Row(
        f"{posted(X)}GET /nowhere HTTP/1.1\r\n\r\n{posted(X)}", (200, 404, 200), callbacks=2
    ),
    "three at once, the second unreadable": Row(
        posted(X) + posted("y") + posted(X), (200, 200, 200), callbacks=2, kept=1
    ),
    "three at once, the second no HTTP": Row(
        f"{posted(X)}hello\r\n\r\n{posted(X)}", (200, 400), callbacks=1, is_open=False
    ),
    "three at once, the second too large": Row(
        f"{posted(X)}{POST}Content-Length: 99999\r\n\r\n{posted(X)}", (200, 413), callbacks=1, is_open=False
    ),
    "three at once, the second closing": Row(
        f"{posted(X)}{POST}Connection: close\r\n{{signed}}{LENGTH}\r\n{X}{posted(X)}",
        (200, 200),
        callbacks=2,
        is_open=False,
    ),
    "a body that is a request": taken(posted(f"{X}&a={POST.replace('=', '%3D')}X: y\r\n\r\n")),
    "a request in a body that is not there": Row(
        f"{POST}{LENGTH}\r\nGET /healthz HTTP/1.1\r\n\r\n", (403, 400), is_open=False
    ),
    "an expectation before another request": Row(
        f"GET /nowhere HTTP/1.1\r\nExpect: 100-continue\r\n\r\n{posted(X)}", (404, 200), callbacks=1
    ),
    "fifty at once": Row(queried(X) * 50, (200,) * 50, callbacks=50),
}
SHORT = {
    "nothing": Row("", (), is_open=False),
    "half a first line": Row(POST[:20], (), is_open=False),
    "half a head": Row(f"{POST}{{signed}}", (), is_open=False),
    "half a body": Row(f"{POST}{{signed}}Content-Length: 500\r\n\r\n{X}", (), is_open=False),
    "half a chunk": Row(f"{POST}{{signed}}{CHUNKED}\r\nfff\r\n{X}", (), is_open=False),
    "a chunk beyond every integer": Row(f"{POST}{{signed}}{CHUNKED}\r\n{'f' * 40}\r\n{X}", (), is_open=False),
    "chunks without an end": Row(f"{POST}{{signed}}{CHUNKED}\r\nd\r\n{X}\r\n", (), is_open=False),
    "half a trailer": Row(f"{POST}{{signed}}{CHUNKED}\r\nd\r\n{X}\r\n0\r\nX: y\r\n", (), is_open=False),
}
ROWS = {**LENGTHS, **CODINGS, **LINES, **HEADERS, **TARGETS, **BODIES, **SERIES, **SHORT}


def octets_of(row: Row) -> bytes:
    """Write a row down, each of its requests with a signature of its own."""
    text = row.octets
    while "{signed}" in text:
        signed = "".join(f"{name}: {value}\r\n" for name, value in by_v2())
        # The same signature twice in one request is one of the rows.
        text = (
            text.replace("{signed}{signed}", signed * 2, 1)
            if "{signed}{signed}" in text
            else text.replace("{signed}", signed, 1)
        )
    return text.encode("latin-1")
