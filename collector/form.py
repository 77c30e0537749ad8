"""Which names and values a form holds, on the wire as a body or as a query.

Everything here is total: any bytes come out as some pairs, because a signature must be checked, and a request be
recognised when it comes again, before anybody may call it unreadable. What is odd is judged later, in ``wire``.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

# A callback has nine fields. What goes on after so many pieces is taken as one, so that a body made of separators costs
# its sender more than us; it is far from readable anyway.
MOST_PIECES = 512


def pairs(raw: bytes) -> list[tuple[str, str]]:
    """Take a form apart into its names and values, in the order received, repeated ones too.

    Parameters
    ----------
    raw
        A body of type ``application/x-www-form-urlencoded``, or a query without its question mark.

    Returns
    -------
    list of (name, value)
        Decoded once. Bytes that are no UTF-8 come out as lone surrogates (``surrogateescape``), so nothing is lost and
        `octets` gives them back. A piece without ``=`` is a name with an empty value, an empty piece is nothing.
        After 512 pieces the rest is one pair. One pair per ``&``-separated piece.

    Examples
    --------
    >>> pairs(b"Channel=sms&ChannelErrorCode=&RequestTime=2024-07-02+10%3A15%3A04&odd")
    [('Channel', 'sms'), ('ChannelErrorCode', ''), ('RequestTime', '2024-07-02 10:15:04'), ('odd', '')]
    """
    found = []
    for piece in raw.split(b"&", MOST_PIECES):
        if piece:
            name, _, value = piece.partition(b"=")
            found.append((_decode(name), _decode(value)))
    return found


def octets(text: str) -> bytes:
    """Give back the bytes a decoded text was made of: UTF-8, and what was none stays as it was.

    Never fails: a lone surrogate that no byte explains is written as UTF-8 would write it if it could.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def query_octets(query: str) -> bytes:
    """Give back the bytes of a query as a WSGI server hands it over: each character one byte.

    Text with characters beyond one byte never comes from a server; it is taken as UTF-8.
    """
    try:
        return query.encode("latin-1")
    except UnicodeEncodeError:
        return octets(query)


def _decode(piece: bytes) -> str:
    if b"%" not in piece and b"+" not in piece:
        return piece.decode("utf-8", "surrogateescape")
    return unquote_to_bytes(piece.replace(b"+", b" ")).decode("utf-8", "surrogateescape")
