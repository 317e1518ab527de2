from causeway.lab.mirror import Mirror, find, lines

DEB822 = """\
# a comment with: a colon
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


def test_deb822_sources_give_archive_and_security() -> None:
    found = find({"debian.sources": DEB822}, "bookworm")
    assert found == Mirror("http://mirror.example/debian", "http://mirror.example/debian-security")


def test_one_line_sources_with_options_are_understood() -> None:
    text = "deb [arch=amd64 signed-by=/x] https://mirror.example/debian trixie main\n# deb http://no x main\n"
    assert find({"sources.list": text}, "trixie") == Mirror("https://mirror.example/debian", None)


def test_other_repositories_are_not_taken_for_debian() -> None:
    text = "deb https://apt.example/node nodistro main\ndeb-src http://mirror.example/debian bookworm main\n"
    assert find({"node.list": text}, "bookworm") is None


def test_disabled_sources_do_not_count() -> None:
    assert find({"debian.sources": "Enabled: no\n" + DEB822.split("\n\n", maxsplit=1)[0]}, "bookworm") is None


def test_source_lines_name_updates_and_security() -> None:
    made = lines(Mirror("http://a/debian", "http://a/security"), "trixie")
    assert [line.split()[2] for line in made] == ["trixie", "trixie-updates", "trixie-security"]
    assert [line.split()[2] for line in lines(Mirror("http://a/debian", None), "trixie")][1:] == [
        "trixie-updates"
    ]
    assert lines(None, "trixie") == []


def test_short_and_empty_lines_are_passed_over() -> None:
    assert find({"sources.list": "deb\n\ndeb http://x trixie\n"}, "trixie") is None
