import pytest

from vdeblur_fast.cli.pairs import Pair, PairError, find_pairs


@pytest.fixture
def tree(tmp_path):
    """Makes empty files: tree("blurry/a.mp4", "sharp/a.mkv") -> the folder that holds them."""

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def test_two_files_are_one_pair(tree):
    here = tree("soft.mp4", "hard.mkv")
    blurry, sharp = here / "soft.mp4", here / "hard.mkv"
    assert find_pairs(blurry, sharp) == [Pair("soft", blurry, sharp)]


def test_two_folders_of_images_are_one_pair(tree):
    here = tree("soft/0.png", "hard/0.png")
    assert [pair.name for pair in find_pairs(here / "soft", here / "hard")] == ["soft"]


def test_a_file_and_a_folder_of_images_are_one_pair(tree):
    here = tree("soft.mp4", "hard/0.PNG")
    assert find_pairs(here / "soft.mp4", here / "hard") == [Pair("soft", here / "soft.mp4", here / "hard")]


def test_clips_of_two_folders_are_matched_by_name(tree):
    here = tree("x/b.mp4", "x/a.mov", "x/c/1.png", "x/notes.txt", "x/.b.mkv")
    tree("y/a.mp4", "y/b.mkv", "y/c/1.png")
    pairs = find_pairs(here / "x", here / "y")
    assert [pair.name for pair in pairs] == ["a", "b", "c"]
    assert pairs[0].sharp == here / "y/a.mp4"


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["x/a.mp4", "x/b.mp4", "y/a.mp4"], r"'b' in \S*x has no partner in \S*y;"),
        (["x/a.mp4", "y/a.mp4", "y/b.mp4", "y/c.mp4"], r"'b' in \S*y has no .* \(one of 2 without\)"),
        (["x/a.mp4", "x/a.mkv", "y/a.mp4"], "two clips called 'a', a.mkv and a.mp4"),
        (["x/readme.txt", "y/a.mp4"], "holds no video files and no images"),
        (["x/a.mp4", "y/0.png"], r"y is one clip but \S*x is a folder of clips"),
        (["x/0.png", "y/a.mp4"], r"x is one clip but \S*y is a folder of clips"),
    ],
)
def test_clips_without_partners(tree, names, sentence):
    here = tree(*names)
    with pytest.raises(PairError, match=sentence):
        find_pairs(here / "x", here / "y")
