import pytest

from vdeblur_fast.cli.main import make_parser
from vdeblur_fast.cli.options import OptionError, check_model, moment
from vdeblur_fast.errors import UnknownNetwork


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("12.5", 12.5),
        (".5", 0.5),
        ("90", 90),
        ("1:30", 90),
        ("01:02:03.25", 3723.25),
        ("0:0:7", 7),
        ("100:00", 6000),
    ],
)
def test_moments(text, seconds):
    assert moment(text) == seconds


def test_a_moment_of_many_digits():
    with pytest.raises(OptionError, match=r"the time 9{30}… is too long; write seconds"):
        moment("9" * 400)


@pytest.mark.parametrize(
    ("option", "text"), [("--threads", "99999999999999"), ("--threads", "1025"), ("--tile", "9" * 5000)]
)
def test_whole_numbers_that_are_too_large(mistake, option, text):
    said = mistake("run", "in.mp4", "out.mp4", option, text)
    assert f"{option} must be a whole number from 1 to" in said
    assert len(said) < 200


@pytest.mark.parametrize("text", ["", "-1", "1:", "a", "1:2:3:4", "1e3", "nan", "inf", "1,5", "1:-2"])
def test_what_is_no_moment(text):
    with pytest.raises(OptionError, match=r"cannot read the time .*; write seconds \(12.5\) or HH:MM:SS"):
        moment(text)


@pytest.mark.parametrize("text", ["2.01", "-0.1", "nan", "inf", "half", ""])
def test_strength_out_of_range(mistake, text):
    sentence = mistake("run", "in.mp4", "out.mp4", "--strength", text)
    assert sentence.startswith("--strength must be between 0 (the source) and 2")


def test_what_even_strength_0_changes_is_said(vdeblur):
    _, said, _ = vdeblur("run", "--help")
    assert "what is brighter than white in a limited-range video" in " ".join(said.split())


@pytest.mark.parametrize("option", ["--threads", "--shrink"])
@pytest.mark.parametrize("text", ["0", "-1", "2.5", "many"])
def test_whole_numbers_out_of_range(mistake, option, text):
    assert f"{option} must be a whole number from 1" in mistake("run", "in.mp4", "out.mp4", option, text)


@pytest.mark.parametrize("text", ["0", "3", "2.0", "all", ""])
def test_an_ensemble_of_a_number_that_there_is_not(mistake, text):
    sentence = mistake("run", "in.mp4", "out.mp4", "--ensemble", text)
    assert sentence.startswith("--ensemble must be one of 1, 2, 4, got")


def test_a_model_that_comes_close():
    with pytest.raises(UnknownNetwork, match=r"'mmp-rnn-a9b10'; did you mean .*mmp-rnn-a9b10c18"):
        check_model("mmp-rnn-a9b10")
    with pytest.raises(UnknownNetwork, match="'ESTRNN'; did you mean estrnn-c"):
        check_model("ESTRNN")


def test_a_model_that_comes_close_to_none():
    with pytest.raises(UnknownNetwork, match="unknown model 'xyz'; `vdeblur models` lists them all"):
        check_model("xyz")


def test_defaults_are_those_of_the_engine():
    options = make_parser().parse_args(["run", "a", "b"])
    assert (options.model, options.weights, options.device) == ("mmp-rnn-tiny", None, "auto")
    assert (options.strength, options.mode, options.scene_cuts) == (1.0, "stream", True)
