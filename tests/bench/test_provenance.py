"""What a row says of the commit that it measured."""

import subprocess

from bench import provenance


def test_results_do_not_make_a_checkout_dirty(tmp_path, monkeypatch):
    def git(*words: str) -> None:
        who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    for name in ("bench/provenance.py", "bench/results/rows.csv", "code.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before\n")
    git("init")
    git("add", ".")
    git("commit", "-m", "All of it")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "bench" / "provenance.py"))
    clean = provenance.commit()
    assert len(clean) == 12
    (tmp_path / "bench/results/rows.csv").write_text("after\n")
    (tmp_path / "untracked").write_text("new\n")
    assert provenance.commit() == clean
    (tmp_path / "code.py").write_text("after\n")
    assert provenance.commit() == f"{clean}-dirty"


def test_without_git_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    assert provenance.commit() == "unknown"
