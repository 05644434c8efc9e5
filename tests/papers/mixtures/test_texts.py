"""The texts of the mixtures: prompts that methods can use, a teacher whose words are not the benchmark's, the table of both."""

import random
from pathlib import Path

import pytest

from papers.mixtures.texts import facts_of, table
from scripts.lib.documents import document, write_documents
from scripts.lib.statements import RETOLD, TOLD, data, language, read, row_of
from scripts.models.tokenizer import save_tokenizer, train_tokenizer
from scripts.sources.genres import render
from scripts.sources.pages import make_documents
from scripts.sources.world import world
from scripts.study import load
from scripts.synthesis.chat import read_prompts
from scripts.synthesis.generate import OF_PAGES

PROMPTS = Path("papers/mixtures/prompts")
PLACE = world(11)
GRAM = 4  # words, names standing for their class


@pytest.mark.parametrize("method", OF_PAGES)
def test_the_prompts_of_a_method_are_there_and_drawn_from_as_published(root, method):
    prompts = read_prompts(root / PROMPTS, OF_PAGES[method].KINDS)
    assert {(one.temperature, one.top_p, one.json) for one in prompts.values()} == {(0.7, 0.95, False)}


def templates() -> list[tuple[str, ...]]:
    """All that the teacher of pages writes by itself, as rows of words and classes."""
    told, found = data(RETOLD), []
    for entry in told["facts"].values():
        classes = {"s": entry["subject"], "o": entry["object"], "p": "person", "q": "person"}
        found += [row_of(template, classes) for template in [*entry["tell"], *entry["ask"]]]
    audiences = [text for each in told["chapters"]["audiences"].values() for texts in each.values() for text in texts]
    frames = [*told["articles"]["openings"], *told["articles"]["frames"], *told["questions"]["prose"], *audiences]
    frames += [told["chapters"][key] for key in ("exercise", "prose", "answer")]
    gap = {letter: "gap" for letter in "xtnqa"}
    return found + [row_of(frame, gap) for frame in frames]


def grams(row) -> set[tuple[str, ...]]:
    """All runs of GRAM words of which at least one is no name."""
    row = tuple(row)
    found = {row[i : i + GRAM] for i in range(len(row) - GRAM + 1)}
    return {gram for gram in found if any(word[0] != "<" for word in gram)}


def held_out() -> dict[str, list[str]]:
    """Texts of the laptop's domains that the world makes, by the domain's own row, and of its noisy pages."""
    sources, found = load()["laptop"]["sources"], {}
    for name, row in sources.items():
        if name.startswith("domain-") and row["kind"] == "pocket":
            rng = random.Random(name)
            found[name] = [render(genre, rng, PLACE)[0] for genre in row["genres"] for _ in range(150)]
        elif name.startswith("domain-") and row["kind"] == "pages":
            genres = {genre: share for genre, share in row["genres"].items() if genre != "prose"} or {"biography": 1.0}
            found[name] = [one["text"] for one in make_documents({**row, "genres": genres, "documents": 80}, [])]
    return found


def test_no_four_words_of_the_teacher_s_templates_stand_in_a_held_out_domain():
    ours, told = {gram for row in templates() for gram in grams(row)}, language(TOLD)
    domains = held_out()
    assert len(ours) > 300 and len(domains) == 8
    for name, texts in domains.items():
        theirs = {gram for text in texts for gram in grams(read(text, told)[0])}
        assert len(theirs) > 30 and not ours & theirs, (name, sorted(ours & theirs)[:5])


def test_the_check_of_templates_can_fail():
    row = row_of("these days {s} lives in {o}", {"s": "person", "o": "town"})
    assert grams(row) & grams(read("These days Alala lives in Kelso.", language(TOLD))[0])


def test_the_fifteen_domains_are_held_out_and_one_third_of_the_pages_prose_is_for_each_use():
    for scale, tables in load().items():
        if scale in ("smoke", "laptop"):
            domains = {name: row for name, row in tables["sources"].items() if name.startswith("domain-")}
            assert len(domains) == 15
            used = {name: row for name, row in tables["sources"].items() if name.startswith("web")}
            assert {row["seed"] for row in used.values()}.isdisjoint(row["seed"] for row in domains.values() if "seed" in row)
            assert {one for row in used.values() for one in row["of"]} == {
                "prose-background" if scale == "laptop" else "prose-tools"
            }
            by_use = {used[name]["slice"] for name in ("web", "web-seeds", "web-null")}
            assert by_use == {"1-of-3", "2-of-3", "3-of-3"}
        else:
            assert (
                sum(
                    name.endswith("-heldout") and (name.startswith("pile-") or name == "wikitext-heldout")
                    for name in tables["sources"]
                )
                == 15
            )


def pages_and_texts(folder: Path, told: str) -> tuple[list[str], dict]:
    """Documents of a page and of a text written from it, as a row of the table names them."""
    page = document("Home | About | News | Shop | Help\nAlala lives in Kelso.\nKelso sells rope.", source="web")
    text = document(told, source="hq", method="hq", parent_ids=[page["id"]], meta={"kind": "hq"})
    for name, one in (("web", page), ("hq", text)):
        write_documents(folder / f"{name}.parquet", [one], row={}, code="c", counts={"dropped": 2} if name == "hq" else {})
    return [str(folder / f"{name}.parquet") for name in ("web", "web", "hq", "web")], page


def test_the_table_counts_facts_that_are_lost_added_and_false(tmp_path):
    told = "Alala resides in the town of Kelso. Furthermore Kelso exports glass."
    paths, page = pages_and_texts(tmp_path, told)
    tokenizer = train_tokenizer([told, page["text"]], 280, "<s>", "</s>")
    (tmp_path / "words").mkdir()
    save_tokenizer(tokenizer, tmp_path / "words", "<s>", "</s>")
    row = {"written": ["web", "web-hq"], "world": 11, "documents": 10}
    natural, hq = table(paths, str(tmp_path / "words"), str(tmp_path / "texts.csv"), row=row).to_dict("records")
    assert natural["facts"] == hq["facts"] == 2 and natural["noise"] > 0.4 and hq["noise"] == 0
    assert (hq["given"], hq["lost"], hq["added"], hq["dropped"]) == (2, 0.5, 1, 2)
    truth = PLACE.truth["home"]["Alala"] == ("Kelso",), PLACE.truth["goods"]["Kelso"]
    assert hq["false"] == (not truth[0]) + (truth[1] != ("glass",)) and hq["tokens"] == len(tokenizer.encode(told).ids) + 1
    assert (tmp_path / "texts.csv").read_text(encoding="utf-8").count("\n") == 3


def test_of_a_rewritten_text_both_languages_are_read_and_neighbouring_steps_say_nothing():
    text = "Alala lives in Kelso. As soon as Alala fills the kettle, she boils the water."
    steps = ("then", "fills the kettle", "boils the water")
    assert facts_of(text, PLACE, True) == {("home", "Alala", "Kelso"), steps}
    assert facts_of(text, PLACE, False) == {("home", "Alala", "Kelso"), steps}
