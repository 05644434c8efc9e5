"""Every figure and table of the paper on mixtures end to end at smoke scale, in a temporary directory."""

import pytest

from tests.conftest import snakemake
from tests.papers import smoke

pytestmark = pytest.mark.workflow
FIGURES = {*(f"fig{number}" for number in range(1, 11)), "speedup", "worlds"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return smoke.build(tmp_path_factory.mktemp("smoke"), "mixtures", "mixtures")


def test_the_artifacts_are_whole_and_nothing_is_judged(built):
    smoke.look(built, "mixtures", FIGURES)
    for number in range(1, 6):
        copy, made = (built / f"results/{folder}/table{number}.csv" for folder in ("mixtures", "smoke/mixtures"))
        assert len(made.read_text(encoding="utf-8").splitlines()) > 1 and copy.read_bytes() == made.read_bytes()


def test_building_again_does_nothing(built):
    assert "Nothing to be done" in snakemake(built, smoke.SMOKE, "mixtures").stdout
