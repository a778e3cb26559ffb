import errno
import os
import re

import pytest
import torch

from vdeblur_fast.cli import models
from vdeblur_fast.cli.failures import explain
from vdeblur_fast.errors import UserError


def os_error(number: int, name: str = "out.mp4") -> OSError:
    return OSError(number, os.strerror(number), name)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (UserError("say this"), "say this"),
        (os_error(errno.ENOSPC), "out.mp4: the disk is full"),
        (os_error(errno.EACCES), "out.mp4: permission denied"),
        (os_error(errno.EROFS), "out.mp4: the file system is read-only"),
        (os_error(errno.EDQUOT, None), "the disk quota is used up"),
        (MemoryError(), "not enough memory for frames of this size"),
        (torch.OutOfMemoryError("CUDA out of memory"), "not enough GPU memory .* --device cpu"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_our_mistake_gets_a_sentence(error, sentence):
    assert re.match(sentence, explain(error))


def test_torch_says_that_the_memory_is_used_up():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert "not enough memory" in explain(caught.value)


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), os_error(errno.EBADF), RuntimeError("x")])
def test_what_is_our_mistake_gets_none(error):
    assert explain(error) is None


def test_our_mistakes_raise(vdeblur, monkeypatch):
    monkeypatch.setattr(models, "row", lambda name: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        vdeblur("models")


def test_debug_shows_where_a_user_error_arose(vdeblur):
    with pytest.raises(UserError):
        vdeblur("models", "--card", "nonsense", "--debug")
