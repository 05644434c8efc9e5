"""Every artifact of EntiGraph and its neighbours end to end at smoke scale, in a temporary directory."""

import pytest

from tests.conftest import snakemake
from tests.papers import smoke

pytestmark = pytest.mark.workflow
FIGURES = {"corpus", "curve", "fit", "loss", "openbook", "qa", "raw", "salient", "saturation", "theory"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return smoke.build(tmp_path_factory.mktemp("smoke"), "entigraph")


def test_the_artifacts_are_whole_and_nothing_is_judged(built):
    smoke.look(built, "entigraph", FIGURES)


def test_building_again_does_nothing(built):
    assert "Nothing to be done" in snakemake(built, smoke.SMOKE, "all_entigraph").stdout
