import os
from pathlib import Path

from pipelines.scan import FoundFile, scan


def listing(root: Path, **options: object) -> dict[str, str | None]:
    return {file.document: file.reason for file in scan(root, **options)}


def test_documents_are_relative_sorted_and_typed(tmp_path: Path) -> None:
    for name in ("b.md", "a.txt", "sub/c.PDF"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("text")
    found = list(scan(tmp_path))
    assert [file.document for file in found] == ["a.txt", "b.md", "sub/c.PDF"]
    assert all(file.reason is None and file.size == 4 and file.mtime_ns for file in found)
    assert found[2].path == tmp_path / "sub" / "c.PDF"


def test_what_cannot_be_indexed_is_reported_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "empty.md").touch()
    (tmp_path / "old.doc").write_text("x")
    (tmp_path / "movie.mov").write_text("x")
    (tmp_path / "README").write_text("x")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "big.csv").write_bytes(b"a,b\n" * 500_000)
    assert listing(tmp_path, max_bytes=1_000_000) == {
        "README": "no converter for a file without suffix",
        "big.csv": "2 MB is over the limit of 1 MB (setting index.max_file_mb)",
        "empty.md": "empty file",
        "movie.mov": "no converter for .mov",
        "old.doc": "no converter for .doc; save it as .docx first",
        "pipe.txt": "not a regular file",
    }


def test_symbolic_links_are_never_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (root / "real.md").write_text("# real")
    (root / "sub" / "up").symlink_to(root)
    (root / "again.md").symlink_to(root / "real.md")
    (root / "out.txt").symlink_to(outside / "secret.txt")
    (root / "gone.md").symlink_to(root / "nothing.md")
    (root / "self.md").symlink_to(root / "self.md")
    assert listing(root) == {
        "again.md": "symbolic link; its target is indexed in its own place",
        "gone.md": "broken symbolic link",
        "out.txt": "symbolic link that leads out of the indexed folder",
        "real.md": None,
        "self.md": "symbolic link loop",
        "sub/up": "symbolic link loop",
    }


def test_hidden_and_excluded_names_are_passed_over(tmp_path: Path) -> None:
    for name in (".git/config.txt", "node_modules/x.md", "~$open.docx", "kept.md"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("text")
    assert listing(tmp_path, exclude=("node_modules", "~$*")) == {"kept.md": None}
    one, other = tmp_path / "work", tmp_path / "deep/work"
    for folder in (one, other):
        folder.mkdir(parents=True)
        (folder / "x.md").write_text("text")
    names = listing(tmp_path, exclude=("node_modules", "~$*", str(one)))
    assert names == {"deep/work/x.md": None, "kept.md": None}


def test_a_name_that_is_not_utf8_is_reported(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_text("text")
    assert list(scan(tmp_path)) == [
        FoundFile(tmp_path, "caf?.txt", reason="its name is not valid UTF-8: rename it")
    ]


def test_one_folder_in_the_root_may_be_walked_alone(tmp_path: Path) -> None:
    for name in ("a.md", "sub/b.md", "sub/more/c.md", "subway/d.md"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("text")
    found = [file.document for file in scan(tmp_path, "sub")]
    assert found == ["sub/b.md", "sub/more/c.md"]
