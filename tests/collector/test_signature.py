"""What a signature proves, and what must never pass for one."""

import base64
import hmac
from collections.abc import Mapping, Sequence

import pytest

from collector.form import pairs
from collector.signature import Proof, ambiguous, sign, verify

TOKEN = "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4"
OLD_TOKEN = "b2xkIHRva2VuIG9mIHRoZSBzYW1lIGFjY291bnQgMQ"
MAIN_TOKEN = "bWFpbiB0b2tlbiBvZiB0aGUgYWNjb3VudCBhYm92ZQ"
URL = "https://callbacks.example:8443/hook/plivo"
NONCE = "05429567804466091622"
BODY = [("SessionUUID", "8e712097-8090-4644-81e7-8f4265d8354e"), ("ChannelErrorCode", ""), ("Channel", "sms")]
V2 = sign(TOKEN, f"{URL}{NONCE}".encode())
V3_TEXT = f"{URL}?ChannelsmsChannelErrorCodeSessionUUID8e712097-8090-4644-81e7-8f4265d8354e.{NONCE}"
V3 = sign(TOKEN, V3_TEXT.encode())


def prove(
    headers: Mapping[str, str] | Sequence[tuple[str, str]],
    *,
    method: str = "POST",
    urls: Sequence[str] = (URL,),
    query: str = "",
    params: Sequence[tuple[str, str]] = BODY,
    tokens: Sequence[str] = (TOKEN,),
    main_tokens: Sequence[str] = (),
) -> Proof:
    """Verify one request, with headers by the short names of `sent` or as received."""
    given = sent(headers) if isinstance(headers, Mapping) else headers
    return verify(method, urls, query, params, given, tokens=tokens, main_tokens=main_tokens)


def sent(short: Mapping[str, str]) -> list[tuple[str, str]]:
    """Write the headers of `v2`, `ma-v2`, `v2-nonce`, … in full."""
    return [(f"X-Plivo-Signature-{name.title()}", value) for name, value in short.items()]


# --- which header, which token ---------------------------------------------------------------------------------------


def test_each_family_is_proved_by_its_own_header_and_all_that_was_proved_is_named() -> None:
    headers = {"v2": V2, "v2-nonce": NONCE, "v3": V3, "v3-nonce": NONCE}
    assert prove(headers) == Proof(("v2", "v3"), (("v2", NONCE), ("v3", NONCE)))
    everything = headers | {
        "ma-v2": sign(MAIN_TOKEN, f"{URL}{NONCE}".encode()),
        "ma-v3": sign(MAIN_TOKEN, V3_TEXT.encode()),
    }
    assert prove(everything, main_tokens=[MAIN_TOKEN]).text == "v2+v2-ma+v3+v3-ma"


def test_a_signature_is_not_taken_from_the_header_of_another_family() -> None:
    assert not prove({"v2": V3, "v2-nonce": NONCE})
    assert not prove({"v3": V2, "v3-nonce": NONCE})
    assert not prove({"v2": V2, "v3-nonce": NONCE})


def test_a_ma_signature_counts_under_the_main_token_only_and_a_plain_one_never_does() -> None:
    mine = {"ma-v2": V2, "v2-nonce": NONCE}
    assert not prove(mine)
    assert prove(mine, main_tokens=[TOKEN]).text == "v2-ma"
    assert not prove({"v2": V2, "v2-nonce": NONCE}, tokens=[], main_tokens=[TOKEN])


def test_an_old_and_a_new_token_both_count() -> None:
    for order in ([TOKEN, OLD_TOKEN], [OLD_TOKEN, TOKEN]):
        assert prove({"v2": V2, "v2-nonce": NONCE}, tokens=order).text == "v2"


def test_under_an_empty_token_nothing_is_proved() -> None:
    forged = sign("", f"{URL}{NONCE}".encode())
    assert not prove({"v2": forged, "ma-v2": forged, "v2-nonce": NONCE}, tokens=["", TOKEN], main_tokens=[""])


def test_without_tokens_urls_or_headers_nothing_is_proved() -> None:
    headers = {"v2": V2, "v2-nonce": NONCE}
    assert not prove(headers, tokens=[])
    assert not prove(headers, urls=[])
    assert not prove({})


def test_the_second_of_two_urls_counts_as_much_as_the_first() -> None:
    assert prove({"v2": V2, "v2-nonce": NONCE}, urls=["https://former.example/hook/plivo", URL]).text == "v2"


def test_the_signed_text_comes_from_the_configured_url_whatever_host_is_named() -> None:
    elsewhere = sign(TOKEN, f"https://elsewhere.example/hook/plivo{NONCE}".encode())
    hosts = [("Host", "elsewhere.example"), ("X-Forwarded-Host", "elsewhere.example"), ("X-Forwarded-Proto", "https")]
    assert not prove([*sent({"v2": elsewhere, "v2-nonce": NONCE}), *hosts])
    assert prove([*sent({"v2": V2, "v2-nonce": NONCE}), *hosts]).text == "v2"


# --- how a header may be written -------------------------------------------------------------------------------------


def test_header_names_are_read_in_any_case() -> None:
    assert prove([("x-plivo-signature-v2", V2), ("X-PLIVO-SIGNATURE-V2-NONCE", NONCE)]).text == "v2"


@pytest.mark.parametrize("values", [f"{V3},{V2}", f" {V2} , {V3}", f"junk,,\t{V2}", ",".join([V3] * 7 + [V2])])
def test_a_header_may_hold_up_to_eight_signatures(values: str) -> None:
    assert prove({"v2": values, "v2-nonce": NONCE}).text == "v2"


def test_a_header_of_nine_signatures_proves_nothing() -> None:
    assert not prove({"v2": ",".join([V2] + [V3] * 8), "v2-nonce": NONCE})


def test_a_header_that_comes_twice_is_one_list() -> None:
    nonce = ("X-Plivo-Signature-V2-Nonce", NONCE)
    name = "X-Plivo-Signature-V2"
    assert prove([(name, V3), (name, V2), nonce]).text == "v2"
    assert not prove([(name, ",".join([V3] * 4)), (name, ",".join([V3] * 4 + [V2])), nonce])


def test_a_signature_has_one_spelling() -> None:
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    # The last character before the padding has two bits to spare: its neighbour decodes to the same bytes.
    neighbour = V2[:42] + last[last.index(V2[42]) + 1] + "="
    assert base64.b64decode(neighbour) == base64.b64decode(V2)
    oddities = [neighbour, V2[:-1], f"{V2}=", f"{V2[:20]} {V2[20:]}", f"{V2}\n", V2.lower(), f'"{V2}"', f"\xa0{V2}"]
    for odd in oddities:
        assert not prove({"v2": odd, "v2-nonce": NONCE}), odd
    dashed = "-_" * 21 + "A="
    assert not prove({"v2": dashed, "v2-nonce": NONCE})


@pytest.mark.parametrize("nonce", ["", " ", "1" * 129, "1,2", "1/2", "1.2", "1 2", "1\n", "é", "١٢٣", "1?2", "1#2"])
def test_a_nonce_that_is_missing_oversized_or_oddly_spelt_proves_nothing(nonce: str) -> None:
    odd = {"v2": sign(TOKEN, f"{URL}{nonce}".encode()), "v2-nonce": nonce}
    assert not prove(odd)
    v3 = {"v3": sign(TOKEN, f"{URL}.{nonce}".encode()), "v3-nonce": nonce}
    assert not prove(v3, params=[])


def test_without_a_nonce_header_nothing_is_proved() -> None:
    assert not prove({"v2": sign(TOKEN, URL.encode())})


def test_a_nonce_that_comes_twice_proves_nothing() -> None:
    nonce = ("X-Plivo-Signature-V2-Nonce", NONCE)
    assert prove([*sent({"v2": V2}), nonce])
    assert not prove([*sent({"v2": V2}), nonce, nonce])


# --- what a captured signature cannot do -----------------------------------------------------------------------------


def test_a_captured_signature_cannot_take_a_fresh_nonce_by_moving_the_border() -> None:
    """Each line: a genuine (URL, nonce), and another split of the same signed text that would escape its nonce."""
    hook = "https://h.example/hook"
    slashed = sign(TOKEN, f"{hook}/1".encode())
    assert prove({"v2": slashed, "v2-nonce": "1"}, urls=[f"{hook}/"])
    assert not prove({"v2": slashed, "v2-nonce": "/1"}, urls=[hook])
    dotted = sign(TOKEN, f"{hook}?Channelsms.1.2".encode())
    assert prove({"v3": dotted, "v3-nonce": "2"}, urls=[hook], params=[("Channel", "sms.1")])
    assert not prove({"v3": dotted, "v3-nonce": "1.2"}, urls=[hook], params=[("Channel", "sms")])


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        (["https://h/hook", "https://h/hook2"], True),
        (["https://h/hook.a", "https://h/hook"], True),
        (["https://h/hook.", "https://h/hook"], True),
        (["https://h/hook", "https://h/hook2?tenant=a"], True),
        (["https://h/hook", "https://h/hook/"], False),
        (["https://h/hook", "https://h/hook/a"], False),
        (["https://h/hook?tenant=a", "https://h/hook?tenant=b"], False),
        (["https://h/one", "https://h/two"], False),
        (["https://h.example", "https://h.example2"], True),
        ([], False),
    ],
)
def test_urls_are_ambiguous_when_what_one_adds_to_another_could_be_a_nonce(urls: list[str], expected: bool) -> None:
    assert ambiguous(urls) is expected


def test_v2_says_nothing_of_body_and_query() -> None:
    headers = {"v2": V2, "v2-nonce": NONCE}
    assert prove(headers, params=[("SessionUUID", "forged")], query="Channel=voice").text == "v2"


def test_v3_covers_the_body_the_query_and_repeated_values() -> None:
    headers = {"v3": V3, "v3-nonce": NONCE}
    assert prove(headers).text == "v3"
    for params, query in ((BODY[:2], ""), ([*BODY, BODY[0]], ""), ([*BODY, ("a", "")], ""), (BODY, "a="), (BODY, "a")):
        proof = prove(headers, params=params, query=query)
        assert not proof
        assert proof.v3_unproved


def test_v3_is_unproved_only_where_it_came_along_and_did_not_verify() -> None:
    v2 = {"v2": V2, "v2-nonce": NONCE}
    assert not prove(v2).v3_unproved
    assert not prove({**v2, "v3": V3, "v3-nonce": NONCE}).v3_unproved
    for broken in ({"v3": V2, "v3-nonce": NONCE}, {"v3": V3}, {"ma-v3": V3, "v3-nonce": NONCE}, {"v3": ""}):
        assert prove({**v2, **broken}) == Proof(("v2",), (("v2", NONCE),), v3_unproved=True)


def test_v3_is_proved_although_another_scheme_stands_in_the_plain_header() -> None:
    """Reported of live traffic: plain V3 follows an unknown scheme, Ma-V3 is as the SDKs have it."""
    proof = prove({"v3": V2, "ma-v3": V3, "v3-nonce": NONCE}, main_tokens=[TOKEN])
    assert proof == Proof(("v3-ma",), (("v3", NONCE),))


# --- the query of a configured URL -----------------------------------------------------------------------------------

TENANT = f"{URL}?tenant=a&empty="
TENANT_V3 = {"v3": sign(TOKEN, f"{URL}?empty=&tenant=a.Channelsms.{NONCE}".encode()), "v3-nonce": NONCE}


@pytest.mark.parametrize("query", ["tenant=a&empty=", "empty&tenant=a", "%74enant=a&empty=", "tenant=a", ""])
def test_v3_knows_the_configured_query_even_where_a_proxy_took_it_away(query: str) -> None:
    assert prove(TENANT_V3, urls=[TENANT], query=query, params=[("Channel", "sms")]).text == "v3"


@pytest.mark.parametrize("query", ["tenant=b&empty=", "tenant=a&empty=&more=1", "tenant=a&empty=&tenant=a"])
def test_v3_never_leaves_out_what_was_received(query: str) -> None:
    assert not prove(TENANT_V3, urls=[TENANT], query=query, params=[("Channel", "sms")])


def test_a_get_is_signed_over_its_whole_query_decoded_and_sorted() -> None:
    signed = sign(TOKEN, f"{URL}?Channel=sms&Text=é ü&tenant=a.{NONCE}".encode())
    proof = prove(
        {"v3": signed, "v3-nonce": NONCE}, method="GET", urls=[TENANT.removesuffix("&empty=")],
        query="tenant=a&Text=%C3%A9+%C3%BC&Channel=sms", params=[],
    )  # fmt: skip
    assert proof.text == "v3"


def test_bytes_that_are_no_text_are_signed_as_they_came() -> None:
    signed = sign(TOKEN, URL.encode() + b"?a\xff." + NONCE.encode())
    assert prove({"v3": signed, "v3-nonce": NONCE}, params=pairs(b"a=%ff")).text == "v3"


# --- how it is compared ----------------------------------------------------------------------------------------------


def test_every_comparison_is_made_whichever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first signature genuine, the last, or none: as many comparisons, each by `compare_digest`."""
    made: list[int] = []
    genuine = hmac.compare_digest

    def counted(left: bytes, right: bytes) -> bool:
        made[-1] += 1
        return genuine(left, right)

    monkeypatch.setattr("collector.signature.hmac.compare_digest", counted)
    for values in ([V2, V3, V3], [V3, V3, V2], [V3, V3, V3]):
        made.append(0)
        prove({"v2": ",".join(values), "v2-nonce": NONCE}, urls=[URL, f"{URL}/"], tokens=[TOKEN, OLD_TOKEN])
    assert made == [12, 12, 12]
