"""The table of forgeries: every way to pass a signature off as a genuine one, knowing everything but the token."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from urllib.parse import quote

from tests.collector.attacks.tools import OTHER_URL, V2, V2_NONCE, V3, V3_NONCE, Headers, by_v2, by_v3, fresh, mac
from tests.collector.conftest import PATH, TOKEN, URL

MAIN_TOKEN = "bWFpbiB0b2tlbiBvZiB0aGUgYWNjb3VudCBhYm92ZQ"
BODY = "SessionUUID=forged&Channel=sms"
V3_BODY = "ChannelsmsSessionUUIDforged"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
ELSEWHERE = "https://elsewhere.example" + PATH


def who_signs_what() -> Iterator[tuple[str, Headers]]:
    """Signatures of others, of other texts, under other tokens, and none at all."""
    yield "nothing", ()
    yield "a nonce alone", [(V2_NONCE, fresh())]
    yield "a signature alone", by_v2()[:1]
    yield "a signature of the URL alone, without a nonce", [(V2, mac(URL))]
    yield "a signature of the URL alone, and an empty nonce", [(V2, mac(URL)), (V2_NONCE, "")]
    yield "empty values", [(V2, ""), (V2_NONCE, ""), (V3, ""), (V3_NONCE, "")]
    yield "an empty token", by_v2(token="")
    yield (
        "an empty token, in every header",
        [
            *(("X-Plivo-Signature-" + name, mac(f"{URL}7", "")) for name in ("V2", "Ma-V2", "V3", "Ma-V3")),
            *((name, "7") for name in (V2_NONCE, V3_NONCE)),
        ],
    )
    yield "somebody else's token", by_v2(token=TOKEN[::-1])
    yield "the token with a line feed", by_v2(token=TOKEN + "\n")
    yield "the token in capitals", by_v2(token=TOKEN.upper())
    yield "the hash of the token instead of the token", by_v2(token=hashlib.sha256(TOKEN.encode()).hexdigest())
    yield "the main account's token, in the plain header", by_v2(token=MAIN_TOKEN)
    nonce = fresh()
    for name, token in (("the main token", MAIN_TOKEN), ("the account's own token", TOKEN)):
        yield (
            f"a Ma- header by {name}, where no main token is configured",
            [
                ("X-Plivo-Signature-Ma-V2", mac(URL + nonce, token)),
                (V2_NONCE, nonce),
            ],
        )
    yield "a token that is only shown", [("Authorization", f"Bearer {TOKEN}")]
    for url in (
        URL.replace("https", "http"), URL.replace(".com/", ".com:443/"), URL + "/", URL[:-1], URL + "?", URL + "#",
        URL.replace("hooks", "HOOKS"), URL.upper(), PATH, "", "https://127.0.0.1" + PATH,
        URL.replace("/callbacks", "//callbacks"), URL.replace("/plivo", "/%70livo"), f"{URL}?{BODY}", OTHER_URL,
    ):  # fmt: skip
        yield f"a signature of {url or 'no URL'}", by_v2(url=url)
    yield "the URL the Host header names", [("Host", "elsewhere.example"), *by_v2(url=ELSEWHERE)]
    yield (
        "the URL that forwarded headers name",
        [
            ("X-Forwarded-Host", "elsewhere.example"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Port", "443"),
            ("X-Forwarded-Prefix", ""),
            ("Forwarded", "host=elsewhere.example;proto=https"),
            *by_v2(url=ELSEWHERE),
        ],
    )
    for name in ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "Referer", "Origin"):
        yield f"the URL that {name} names", [(name, ELSEWHERE), *by_v2(url=ELSEWHERE)]


def how_it_is_spelt() -> Iterator[tuple[str, Headers]]:
    """Genuine signatures in every spelling but their own."""
    (_, genuine), nonce = by_v2()
    raw = base64.b64decode(genuine)
    spelt = {
        "url-safe": base64.urlsafe_b64encode(b"\xfb\xff" * 16).decode(),
        "not padded": genuine[:-1],
        "padded twice": genuine + "=",
        "padded with an escape": genuine[:-1] + "%3D",
        "not canonical": genuine[:42] + ALPHABET[ALPHABET.index(genuine[42]) | 1] + "=",
        "in small letters": genuine.lower(),
        "in capitals": genuine.upper(),
        "in hexadecimal": raw.hex(),
        "in base 32": base64.b32encode(raw).decode(),
        "in base64 twice": base64.b64encode(genuine.encode()).decode(),
        "as raw bytes": raw.decode("latin-1").translate(dict.fromkeys(range(32), "x")),
        "quoted": f'"{genuine}"',
        "in angles": f"<{genuine}>",
        "with its scheme": f"v2={genuine}",
        "with a parameter": f"{genuine};q=1",
        "with a space inside": f"{genuine[:20]} {genuine[20:]}",
        "with a tab inside": f"{genuine[:20]}\t{genuine[20:]}",
        "behind a no-break space": f"\xa0{genuine}",
        "before a no-break space": f"{genuine}\xa0",
        "before a next-line character": f"{genuine}\x85",
        "with more behind": genuine + "A",
        "twice in one": genuine + genuine,
        "by semicolons": f"x;{genuine}",
        "by spaces": f"{genuine} {genuine}",
        "by SHA-1": base64.b64encode(hmac.new(TOKEN.encode(), (URL + nonce[1]).encode(), "sha1").digest()).decode(),
        "by SHA-512": base64.b64encode(hmac.new(TOKEN.encode(), (URL + nonce[1]).encode(), "sha512").digest()).decode(),
        "not keyed": base64.b64encode(hashlib.sha256((TOKEN + URL + nonce[1]).encode()).digest()).decode(),
        "zeros": base64.b64encode(bytes(32)).decode(),
        "extended by a zero": base64.b64encode(raw + b"\0").decode(),
        "the first of nine": ",".join([genuine] + ["x"] * 8),
        "the last of nine": ",".join(["x"] * 8 + [genuine]),
        "behind a thousand commas": "," * 1_000 + genuine,
        "among a hundred copies": ",".join([genuine] * 100),
        "in a header of 15 KB": genuine + "A" * 15_000,
    }
    for length in range(len(genuine)):
        spelt[f"cut after {length} characters"] = genuine[:length]
    for name, value in spelt.items():
        if value != genuine:
            yield name, [(V2, value), nonce]
    yield "one of nine in two headers", [(V2, ",".join(["x"] * 5)), (V2, ",".join(["x"] * 3 + [genuine])), nonce]
    for name in ("X-Plivo-Signature", "X-Plivo-Signature-V1", "X_Plivo_Signature_V2", "Plivo-Signature-V2", f"{V2}-"):
        yield f"in the header {name}", [(name, genuine), nonce]
    yield "the nonce in a header with underscores", [(V2, genuine), ("X_Plivo_Signature_V2_Nonce", nonce[1])]


def which_nonce() -> Iterator[tuple[str, Headers]]:
    """Nonces that are given twice, are oddly spelt, or shift the border between what was signed and themselves."""
    nonce = fresh()
    genuine = mac(URL + nonce)
    yield "another nonce", [(V2, genuine), (V2_NONCE, fresh())]
    yield "the nonce twice", [(V2, genuine), (V2_NONCE, nonce), (V2_NONCE, nonce)]
    yield "the nonce and another", [(V2, genuine), (V2_NONCE, nonce), (V2_NONCE, fresh())]
    yield "another nonce and the nonce", [(V2, genuine), (V2_NONCE, fresh()), (V2_NONCE, nonce)]
    for name, odd in {
        "cut": nonce[:-1],
        "longer": nonce + "0",
        "with its number written otherwise": "0" + nonce,
        "with a plus": "+" + nonce,
        "escaped": quote("3").replace("3", "%33") + nonce[1:],
        "quoted": f'"{nonce}"',
        "too long": "7" * 129,
        "with a slash": "/7",
        "with a dot": "7.7",
        "with a space": "7 7",
        "with a comma": "7,7",
        "with a question mark": "?7",
        "beyond ASCII": "7\xb2",
    }.items():
        yield f"a nonce {name}", [(V2, genuine), (V2_NONCE, odd)]
        # Signed genuinely, as if the provider had drawn it: what cannot be bound unmistakably proves nothing.
        if name in {"too long", "with a slash", "with a dot", "with a space", "with a comma", "with a question mark"}:
            yield f"a nonce {name}, signed", by_v2(odd)
    # …/former with the nonce 7 is also …/forme with the nonce r7, if such a URL were configured; here it is not.
    yield "the end of the URL in the nonce", [(V2, mac(URL + "7")), (V2_NONCE, URL[-1] + "7")]


def which_family() -> Iterator[tuple[str, Headers]]:
    """Signatures of one family in the headers of another."""
    nonce = fresh()
    genuine_v2, genuine_v3 = mac(URL + nonce), mac(f"{URL}?{V3_BODY}.{nonce}")
    yield "a V3 value under V2", [(V2, genuine_v3), (V2_NONCE, nonce)]
    yield "a V2 value under V3", [(V3, genuine_v2), (V3_NONCE, nonce)]
    yield "V2 with the nonce of V3", [(V2, genuine_v2), (V3_NONCE, nonce)]
    yield "V3 with the nonce of V2", [(V3, genuine_v3), (V2_NONCE, nonce)]
    yield "V3 in the Ma- header, without a main token", [("X-Plivo-Signature-Ma-V3", genuine_v3), (V3_NONCE, nonce)]
    yield "V3 without its question mark", [(V3, mac(f"{URL}{V3_BODY}.{nonce}")), (V3_NONCE, nonce)]
    yield "V3 without its dot", [(V3, mac(f"{URL}?{V3_BODY}{nonce}")), (V3_NONCE, nonce)]
    yield "V3 of the body as it was sent", by_v3(BODY)
    yield "V3 in the order received", by_v3("SessionUUIDforgedChannelsms")
    yield "V3 of no body", by_v3("")
    yield "V3 of a body with another value", by_v3(V3_BODY.replace("sms", "rcs"))
    yield "V3 of a body with a field more", by_v3(V3_BODY + "X")
    yield "V3 of the body as a query", by_v3("Channel=sms&SessionUUID=forged")
    yield "V3 of the query of another URL", by_v3(V3_BODY, url=OTHER_URL)
    yield "V3 and V2, both forged", [*by_v2(token=MAIN_TOKEN), *by_v3(V3_BODY, token=MAIN_TOKEN)]


FORGED = [*who_signs_what(), *how_it_is_spelt(), *which_nonce(), *which_family()]
