"""Which certificate authorities are trusted."""

from pathlib import Path

import pytest

from stories.http.tls import CaFile

pytestmark = pytest.mark.anyio


def test_the_extra_authority_is_extra(tmp_path: Path) -> None:
    extra = tmp_path / "extra.pem"
    extra.write_text("extra authority")
    usual = Path(CaFile(None).path)
    made = CaFile(str(extra))
    text = Path(made.path).read_text()
    assert text.startswith(usual.read_text())
    assert text.rstrip().endswith("extra authority")
    made.close()
    assert not Path(made.path).exists()
    made.close()
    assert usual.exists()


def test_an_authority_that_is_missing_is_said_at_once() -> None:
    with pytest.raises(OSError, match="nowhere"):
        CaFile("/nowhere/authority.pem")
