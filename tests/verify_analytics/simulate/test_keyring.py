"""The simulator signs with the keys that the collector was given, written as the collector reads them."""

from pathlib import Path

import pytest

from verify_analytics.simulate import keyring


@pytest.mark.parametrize("written", ["old-token,new-token", "old-token\nnew-token\n", "old-token,\n new-token"])
def test_several_tokens_may_be_separated_by_commas_or_stand_one_a_line(written: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(written)
    env_file = tmp_path / "collector.env"
    env_file.write_text("PLIVO_AUTH_TOKEN_FILE=token\n")
    assert keyring.read({}, env_file).tokens == ("old-token", "new-token")
