"""Packs at the command line."""

from pathlib import Path
from typing import Any

from hamsa_async.dialer.policy import PACKS


def test_the_packs_are_listed(command: Any) -> None:
    """All that are shipped, without a key and without a server."""
    done = command("policy", "list").ends(0)
    assert [line.split()[0] for line in done.out.splitlines()[1:]] == list(PACKS)
    packs = command("policy", "list", "--json").ends(0).document["packs"]
    assert [pack["name"] for pack in packs] == list(PACKS)
    assert packs[0]["covers"] == ["AE"]


def test_a_pack_is_shown(command: Any) -> None:
    """What was not confirmed comes first; then rules, sources, and what is not covered."""
    lines = command("policy", "show", "ae_telemarketing").ends(0).out.splitlines()
    assert lines[0].startswith("Not confirmed: ")
    text = "\n".join(lines)
    assert "every day 09:00-18:00; last start 2 min before the end" in text
    assert "called 2 times in any 7 days (Asia/Dubai), at the most" in text
    assert "starts with +971" in text
    assert "checked on 2026-" in text
    assert "Prior approval" in text
    courtesy = command("policy", "show", "gulf_courtesy").ends(0).out
    assert "Fri 11:30-14:00 (Friday prayer)" in courtesy
    assert "expected" in courtesy
    assert "only adds to another policy" in courtesy
    assert "rules:\n  - none\n" in command("policy", "show", "none").ends(0).out


def test_a_pack_of_ones_own_is_checked_by_showing_it(command: Any, tmp_path: Path) -> None:
    """A mistake is told with its line; without one the rules are read back."""
    path = tmp_path / "own.toml"
    path.write_text('name = "own"\ntitle = "Mine"\nversion = "1"\ncovers = "anywhere"\nhour = 3\n')
    assert "line 5: hour: there is no such key" in command("policy", "show", path).ends(2).complaint
    path.write_text(
        'name = "own"\ntitle = "Mine"\nversion = "1"\ncovers = "anywhere"\nweekends = "closed"\n'
        'holidays = "closed"\ncaller_prefixes = ["+971", "+966"]\n'
        "[consent]\nrequired = true\nmax_age_days = 9\n[register]\nrequired = true\n"
        "[[closed]]\ndate = 2027-01-01\n[[blocked]]\ntime = '10:00-11:00'\nfrom = 2027-01-01\n"
        "to = 2027-01-02\n"
    )
    out = command("policy", "show", path).ends(0).out
    for words in (
        "closed on the called country's weekend",
        "public holidays",
        "+971 or +966",
        "not older than 9 days",
        "must have been imported",
        "closed: 2027-01-01",
        "1 dated times",
    ):
        assert words in out


def test_no_such_pack(command: Any) -> None:
    assert "there is no policy 'mars'" in command("policy", "show", "mars").ends(2).complaint


def test_a_name_may_be_a_letter(command: Any, tmp_path: Path) -> None:
    """What is said of a name is all that is asked of it."""
    path = tmp_path / "own.toml"
    pack = 'title = "x"\nversion = "1"\ncovers = "anywhere"\n'
    path.write_text(f'name = "x"\n{pack}')
    assert "x 1: x" in command("policy", "show", path).ends(0).out
    path.write_text(f'name = "{"x" * 41}"\n{pack}')
    assert "40 at the most" in command("policy", "show", path).ends(2).complaint
