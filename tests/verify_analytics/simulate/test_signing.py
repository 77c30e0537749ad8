"""The simulator's signatures are the provider's: held to its own package on any input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plivo.utils import validate_signature
from plivo.utils.signature_v3 import validate_v3_signature

from verify_analytics.simulate import signing

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
WORD = st.text("abcXYZ019_-. ", min_size=1, max_size=12)
FIELDS = st.dictionaries(WORD, TEXT, max_size=9)
NONCE = st.text("0123456789", min_size=20, max_size=20)
URL = "https://collector.example:8443/hooks/plivo"


@given(FIELDS, NONCE, st.sampled_from([URL, f"{URL}/", "https://collector.example"]))
def test_the_provider_s_package_accepts_what_is_posted(fields: dict[str, str], nonce: str, url: str) -> None:
    made = dict(
        signing.headers("POST", url, list(fields.items()), nonce=nonce, tokens=["a token"], main_token="main", v3=True)
    )
    assert validate_signature(url, nonce, made["X-Plivo-Signature-V2"], "a token")
    assert validate_signature(url, nonce, made["X-Plivo-Signature-Ma-V2"], "main")
    if fields:  # the package cannot tell "no body" from "no parameters given"
        assert validate_v3_signature("POST", url, nonce, "a token", made["X-Plivo-Signature-V3"], fields)
        assert validate_v3_signature("POST", url, nonce, "main", made["X-Plivo-Signature-Ma-V3"], fields)


@given(st.dictionaries(WORD, WORD, min_size=1, max_size=9), NONCE)
def test_the_provider_s_package_accepts_what_is_fetched(fields: dict[str, str], nonce: str) -> None:
    from urllib.parse import urlencode

    url = f"{URL}?{urlencode(fields)}"
    made = dict(signing.headers("GET", url, [], nonce=nonce, tokens=["a token"], v3=True))
    assert validate_signature(url, nonce, made["X-Plivo-Signature-V2"], "a token")
    assert validate_v3_signature("GET", url, nonce, "a token", made["X-Plivo-Signature-V3"])
    assert "X-Plivo-Signature-Ma-V2" not in made


def test_a_body_and_a_query_are_both_signed() -> None:
    text = signing.v3_text("POST", f"{URL}?b=2&a=1", [("d", "4"), ("c", "3")], "5")
    assert text == f"{URL}?a=1&b=2.c3d4.5"


def test_several_tokens_sign_in_one_header() -> None:
    made = dict(signing.headers("POST", URL, [], nonce="1", tokens=["old", "new"]))
    values = made["X-Plivo-Signature-V2"].split(",")
    assert values == [signing.signature("old", f"{URL}1"), signing.signature("new", f"{URL}1")]


def test_without_tokens_only_the_main_account_signs() -> None:
    made = signing.headers("POST", URL, [], nonce="1", tokens=[], main_token="main")
    assert [name for name, _ in made] == ["X-Plivo-Signature-Ma-V2", "X-Plivo-Signature-V2-Nonce"]


@pytest.mark.parametrize("url", [f"{URL}?a=b", f"{URL}#ct=2", f"{URL}?a=b#c"])
def test_v2_signs_no_query(url: str) -> None:
    assert signing.v2_text(url, "9") == f"{URL}9"
