"""The policy folder on a real file system: what is read of it, and which changes are noticed."""

import os
import threading
from pathlib import Path

import pytest

from gateway.adapters import policy_folder
from gateway.adapters.policy_folder import (
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_FOLDER_DEPTH,
    FolderWatch,
    Settling,
    fingerprint_of_files,
    fingerprint_of_folder,
    located,
    read_folder,
)
from gateway.core.errors import PolicyFault, Problem


def problems_of(folder):
    """What is wrong with a folder, as it is printed."""
    with pytest.raises(PolicyFault) as caught:
        read_folder(folder)
    return [str(problem) for problem in caught.value.problems]


def test_policy_files_are_read_wherever_they_are(tmp_path):
    """By relative name; other files, and names that begin with a dot, are passed over."""
    for name in ("b.yaml", "a/c.prompt", "a/d/e.yaml", "README.md", "f.yml", ".g.yaml", ".git/h.yaml", "..data/i.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{name}\r\n".encode())
    assert {"a/c.prompt": "a/c.prompt\r\n", "a/d/e.yaml": "a/d/e.yaml\r\n", "b.yaml": "b.yaml\r\n"} == read_folder(
        tmp_path
    )


def test_an_empty_folder_is_read(tmp_path):
    """Whether nothing is acceptable is for others to say."""
    assert {} == read_folder(tmp_path)


def mounted(folder, generation, text):
    """Lay a folder out as a mounted volume is: links by way of `..data` to a generation."""
    (folder / generation).mkdir()
    (folder / generation / "a.yaml").write_text(text)
    (folder / "..data_tmp").symlink_to(generation)
    (folder / "..data_tmp").rename(folder / "..data")
    if not (folder / "a.yaml").is_symlink():
        (folder / "a.yaml").symlink_to("..data/a.yaml")


def test_a_mounted_volume_is_read_once(tmp_path):
    """Its generations are not read beside the links to them."""
    mounted(tmp_path, "..1", "one")
    assert {"a.yaml": "one"} == read_folder(tmp_path)


def test_links_are_followed_without_loops_or_doubles(tmp_path):
    """A folder that holds itself ends, and a file with two names is read under the first."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "z.yaml").write_text("z")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to("sub")
    (tmp_path / "b.yaml").symlink_to("sub/z.yaml")
    assert {"again/z.yaml": "z"} == read_folder(tmp_path)
    assert {"again/z.yaml": "z"} == read_folder(tmp_path / "sub" / "up")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: path.write_bytes(b"a\nb\xff"), "the file is not UTF-8 (on line 2)"),
        (lambda path: path.write_bytes(b" " * (MAX_FILE_BYTES + 1)), f"the file is over {MAX_FILE_BYTES} bytes"),
        (lambda path: path.symlink_to("nowhere"), "it cannot be read: No such file or directory"),
        (lambda path: path.symlink_to(path.name), "it cannot be read: Too many levels of symbolic links"),
        (lambda path: path.mkdir(), "it is not a regular file"),
        (os.mkfifo, "it is not a regular file"),
    ],
    ids=["not text", "too long", "broken link", "link to itself", "folder", "pipe"],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path, make, problem):
    """And the others are looked at all the same."""
    make(tmp_path / "b.yaml")
    (tmp_path / "a.yaml").write_bytes(b"\xff")
    remedy = "correct this, or move it out of the policies"
    assert [f"a.yaml:1: the file is not UTF-8 (on line 1); {remedy}", f"b.yaml:1: {problem}; {remedy}"] == problems_of(
        tmp_path
    )


def test_a_file_of_the_greatest_size_is_read(tmp_path):
    """The limit itself is allowed."""
    (tmp_path / "a.yaml").write_bytes(b" " * MAX_FILE_BYTES)
    assert MAX_FILE_BYTES == len(read_folder(tmp_path)["a.yaml"])


def test_a_file_that_vanishes_meanwhile_is_told(tmp_path):
    """Between listing and reading anything may happen."""
    with pytest.raises(policy_folder._Unreadable, match="No such file"):
        policy_folder._read(tmp_path / "gone.yaml", (1, 2))


def test_too_many_files_are_refused(tmp_path):
    """One problem for all of them."""
    for number in range(MAX_FILES + 2):
        (tmp_path / f"{number:04}.yaml").touch()
    assert [f"2000.yaml:1: the folder holds more than {MAX_FILES} files; remove some"] == problems_of(tmp_path)


def test_folders_too_deep_are_refused(tmp_path):
    """The depth that is allowed is."""
    deep = tmp_path.joinpath(*(["d"] * MAX_FOLDER_DEPTH))
    deep.mkdir(parents=True)
    (deep / "a.yaml").touch()
    assert 1 == len(read_folder(tmp_path))
    (deep / "d").mkdir()
    assert [f"folders nest deeper than {MAX_FOLDER_DEPTH}"] == [
        line.split("; ")[0].split(": ")[1] for line in problems_of(tmp_path)
    ]


def test_a_folder_that_is_not_there_is_told(tmp_path):
    """As the folder itself."""
    assert [
        ".:1: it cannot be read: No such file or directory; correct this, or move it out of the policies"
    ] == problems_of(tmp_path / "none")


def test_problems_are_named_as_seen_from_outside():
    """`check` prints them so that an editor finds the file."""
    found = located("conf/policies", [Problem("a/b.yaml", 3, "x", "y"), Problem(".", 1, "x", "y")])
    assert ["conf/policies/a/b.yaml", "conf/policies"] == [problem.file for problem in found]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "b.yaml").touch(),
        lambda folder: (folder / "a.yaml").unlink(),
        lambda folder: (folder / "a.yaml").write_text("other"),
        lambda folder: (folder / "a.yaml").rename(folder / "c.yaml"),
        lambda folder: os.utime(folder / "a.yaml", ns=(1, 1)),
        lambda folder: folder.rename(folder.with_name("gone")),
    ],
    ids=["added", "removed", "written", "renamed", "touched", "folder gone"],
)
def test_a_fingerprint_tells_changes(tmp_path, change):
    """Of names, contents and times, and of the folder itself."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.yaml").write_text("a")
    before = fingerprint_of_folder(folder)
    assert before == fingerprint_of_folder(folder)
    change(folder)
    assert before != fingerprint_of_folder(folder)


def test_a_fingerprint_passes_over_what_is_no_policy(tmp_path):
    """An editor's own files change nothing."""
    before = fingerprint_of_folder(tmp_path)
    (tmp_path / ".a.yaml.swp").touch()
    (tmp_path / "a.yaml~").touch()
    assert before == fingerprint_of_folder(tmp_path)


ONE, TWO, THREE = (frozenset({(name, "x")}) for name in "abc")


def test_a_change_settles_once_it_has_been_quiet():
    """Each further change starts the wait anew, and each settled one is told once."""
    settling = Settling(ONE, quiet=0.2)
    looks = [
        (ONE, 0.0),
        (TWO, 1.0),
        (TWO, 1.1),
        (THREE, 1.15),
        (THREE, 1.3),
        (THREE, 1.35),
        (THREE, 1.4),
        (ONE, 2.0),
        (ONE, 2.5),
    ]
    told = [settling.look(fingerprint, now) for fingerprint, now in looks]
    assert [False, False, False, False, False, True, False, False, True] == told


class Changes:
    """Counts the calls of a watch, and waits for them."""

    def __init__(self):
        self.count = 0
        self._called = threading.Semaphore(0)

    def __call__(self):
        self.count += 1
        self._called.release()

    def wait(self):
        """Wait for one call that was not waited for yet."""
        assert self._called.acquire(timeout=30)


def write_in_place(folder: Path):
    (folder / "a.yaml").write_text("new")


def rename_over(folder: Path):
    (folder / "a.yaml.tmp").write_text("new")
    (folder / "a.yaml.tmp").rename(folder / "a.yaml")


def swap_a_link(folder: Path):
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "new").write_text("new")
    (folder / "link").symlink_to("elsewhere/new")
    (folder / "link").rename(folder / "a.yaml")


def swap_the_volume(folder: Path):
    mounted(folder, "..2", "new")


def swap_the_folder(folder: Path):
    other = folder.parent / "other"
    other.mkdir()
    (other / "a.yaml").write_text("new")
    link = folder.parent / "link"
    link.symlink_to(other)
    link.rename(folder)


@pytest.mark.parametrize("change", [write_in_place, rename_over, swap_a_link, swap_the_volume, swap_the_folder])
def test_every_way_to_change_a_policy_is_noticed(tmp_path, change):
    """Writes in place, atomic renames, and swaps of a link to a file, of a mounted volume, of the folder itself."""
    (tmp_path / "one").mkdir()
    folder = tmp_path / "policies"
    folder.symlink_to("one")
    if change is swap_the_volume:
        mounted(folder, "..1", "old")
    else:
        (folder / "a.yaml").write_text("old")
    changes = Changes()
    watch = FolderWatch(folder, changes)
    watch.start()
    try:
        change(folder)
        changes.wait()
        assert {"a.yaml": "new"} == read_folder(folder)
    finally:
        watch.stop()


def test_a_folder_may_come_go_and_come_again(tmp_path):
    """The watch goes on through it all."""
    folder, changes = tmp_path / "policies", Changes()
    watch = FolderWatch(folder, changes)
    watch.start()
    try:
        folder.mkdir()
        changes.wait()
        folder.rename(tmp_path / "away")
        changes.wait()
        (tmp_path / "away").rename(folder)
        changes.wait()
    finally:
        watch.stop()


def test_what_happened_before_the_start_is_noticed(tmp_path):
    """The watch compares with the moment it was made, so nothing is lost until it starts."""
    changes = Changes()
    watch = FolderWatch(tmp_path, changes)
    (tmp_path / "a.yaml").touch()
    watch.start()
    try:
        changes.wait()
    finally:
        watch.stop()


def test_other_files_are_watched_too(tmp_path):
    """A credential that changes is noticed; naming it is no change, and one named no longer is left alone."""
    folder, key, other = tmp_path / "policies", tmp_path / "key", tmp_path / "other"
    folder.mkdir()
    key.write_text("a")
    changes = Changes()
    watch = FolderWatch(folder, changes)
    watch.watch_also([key, other])
    watch.start()
    try:
        key.write_text("bc")
        changes.wait()
        other.write_text("now it is there")
        changes.wait()
        watch.watch_also([other])
        key.write_text("def")
        (folder / "a.yaml").touch()
        changes.wait()
    finally:
        watch.stop()
    assert 3 == changes.count


def test_a_missing_file_has_a_fingerprint_too(tmp_path):
    """So that its coming is a change."""
    before = fingerprint_of_files([tmp_path / "key"])
    (tmp_path / "key").touch()
    assert before != fingerprint_of_files([tmp_path / "key"])


def test_a_watch_may_be_stopped_before_it_starts(tmp_path):
    """Stopping what does not run is nothing."""
    FolderWatch(tmp_path, Changes()).stop()


def test_a_stopped_watch_says_nothing_more(tmp_path):
    """Its thread is gone."""
    changes = Changes()
    watch = FolderWatch(tmp_path, changes)
    watch.start()
    watch.stop()
    (tmp_path / "a.yaml").touch()
    assert "policy-folder-watch" not in [thread.name for thread in threading.enumerate()]
    assert 0 == changes.count
