"""The card: a pure function of the lock, honest, and harmless."""

import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from hubexpert.card import render_card, write_card
from hubexpert.figures import drawings
from hubexpert.lock import Lock, read_lock, write_lock
from hubexpert.recipe import is_folder
from hubexpert.records import Beacons, Candidate, Cost, Refused, Report, Tuning
from tests.golden import FOLDER, golden
from tests.locks import CHOSEN, POOL, a_data, a_lock, a_recipe, a_report, source
from tests.test_escape import HOSTILE

REPO = "tester/science-expert"
FIGURES = ("comparison.png", "contributions.png", "pool.png", "shares.png")


def text_of(lock: Lock, repo: str | None = REPO) -> str:
    return render_card(lock, repo=repo, drawn=FIGURES)


def without(report: Report, name: str) -> Report:
    """The report as if that system had not been measured."""
    systems = tuple(system for system in report.systems if system.name != name)
    differences = tuple(difference for difference in report.differences if difference.second != name)
    return report.model_copy(update={"systems": systems, "differences": differences})


def test_equal_locks_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_card(a_lock(), tmp_path / name, repo=REPO)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert [str(file) for file in files] == ["README.md", *(f"figures/{name}" for name in FIGURES)]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_lock_and_card_are_the_golden_ones() -> None:
    """A change of their form is meant or a mistake; `python -m tests.golden` writes them anew."""
    kept = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert golden() == kept
    read = read_lock(FOLDER / "hubexpert.lock")
    assert render_card(read, repo=REPO, drawn=tuple(drawings(read))) == kept["README.md"]


def test_the_card_is_the_same_after_the_lock_was_written_and_read(tmp_path: Path) -> None:
    write_lock(tmp_path / "hubexpert.lock", a_lock())
    assert text_of(read_lock(tmp_path / "hubexpert.lock")) == text_of(a_lock())


def test_the_hub_accepts_the_metadata_and_the_client_reads_them(endpoint: str) -> None:
    card = ModelCard(text_of(a_lock()))
    card.validate()
    data = card.data
    assert data.get("base_model") == "acme/base-135m"
    assert data.get("base_model_relation") == "adapter"
    assert data.get("library_name") == "peft"
    assert data.get("license") == "apache-2.0"
    assert data.get("datasets") == ["acme/science"]
    assert "base_model:adapter:acme/base-135m" in data["tags"]
    results = {result.metric_name: result.metric_value for result in data["eval_results"]}
    assert results == {"exact_match (static)": 0.52, "exact_match (routed)": 0.6}


def test_the_client_loads_the_card_from_a_file(tmp_path: Path) -> None:
    write_card(a_lock(), tmp_path, repo=REPO)
    assert ModelCard.load(tmp_path / "README.md").data["model_name"] == "science-expert"


def test_the_verdict_and_every_number_of_the_comparison_are_there() -> None:
    lock = a_lock()
    text = text_of(lock)
    assert "**Verdict: `ship`.** Ship the mixture: it scores 60.0" in text
    assert text.index("Verdict") < text.index("| system |") < text.index("## Use it")
    for system in lock.report.systems:
        assert f"| `{system.name}` |" in text
        assert f"| {100 * system.value:.1f} | {100 * system.low:.1f} to {100 * system.high:.1f} |" in text
    assert "| +10.0 [+2.5, +17.5] |" in text


def test_the_experts_are_linked_at_their_commits_with_their_numbers() -> None:
    lock = a_lock()
    text = text_of(lock)
    for expert in lock.build.experts:
        repo, revision = expert.source.repo, expert.source.revision
        assert f"[`{repo}`](https://hub.example/{repo}/tree/{revision})" in text
    share = f"{100 * lock.build.experts[0].share:.0f} %"
    assert (
        f"| acme | `apache-2.0` | 8 | `q_proj`, `v_proj` | 62.5 | 1.8 | {share} | 0.0 | one of the best group" in text
    )
    assert re.search(r"^\| 3 \| .* \| hub \| .* \| \+20\.0 \| one of the best group of 3 \|$", text, re.MULTILINE)


def test_flagged_experts_are_a_limitation() -> None:
    """In words, for experts alone; a flag that this release does not know is named."""
    lock = a_lock()
    marked = {CHOSEN[0]: ("trained-on-shots:3", "odd"), POOL[4]: ("memorised",)}
    scores = tuple(s.model_copy(update={"flags": marked.get(s.source.repo, ())}) for s in lock.scores.scores)
    text = text_of(lock.model_copy(update={"scores": lock.scores.model_copy(update={"scores": scores})}))
    assert re.search(
        rf"^- The expert \[`{CHOSEN[0]}`\]\S+ cites a dataset that holds 3 of the shots: its", text, re.MULTILINE
    )
    assert "is flagged as odd" in text
    assert "by heart" not in text
    assert "- The expert " not in text_of(lock)


def test_the_papers_whose_methods_were_used_are_cited() -> None:
    assert set(re.findall(r"arxiv.org/abs/([0-9.]+)", text_of(a_lock()))) == {"2408.15915", "2106.09685"}
    all_of_them = a_recipe(data={"methods": ["select", "rebase", "beacons"], "teacher": {"model": "m"}})
    cited = set(re.findall(r"arxiv.org/abs/([0-9.]+)", text_of(a_lock(recipe=all_of_them))))
    assert cited == {"2408.15915", "2106.09685", "2407.05463", "2405.18292"}


def test_the_languages_are_those_of_the_recipe() -> None:
    task = {"name": "fragen", "shots": "s.jsonl", "languages": ["de", "en"]}
    assert ModelCard(text_of(a_lock(recipe=a_recipe(task=task)))).data.get("language") == ["de", "en"]
    assert ModelCard(text_of(a_lock(recipe=a_recipe(data={"languages": ["fr"]})))).data.get("language") == ["fr"]
    assert ModelCard(text_of(a_lock())).data.get("language") is None


@pytest.mark.parametrize(
    ("lost", "told"),
    [(None, None), (0.0, "error below 0.1 %"), (0.0006, "error 0.1 %"), (0.0213, "error 2.1 %")],
)
def test_an_expert_that_was_converted_says_from_what_and_how_well(lost: float | None, told: str | None) -> None:
    lock = a_lock()
    first = lock.build.experts[0].model_copy(update={"conversion_error": lost})
    candidates = tuple(c.model_copy(update={"peft_type": "LOKR"}) for c in lock.discovery.candidates)
    changed = {
        "build": lock.build.model_copy(update={"experts": (first, *lock.build.experts[1:])}),
        "discovery": lock.discovery.model_copy(update={"candidates": candidates}),
    }
    text = text_of(lock.model_copy(update=changed))
    assert text.count("converted from") == (told is not None)
    assert told is None or f"converted from LoKr ({told})" in text


def test_the_snippets_load_this_repository_and_pin_the_base() -> None:
    lock = a_lock()
    text = text_of(lock)
    assert f'hubexpert.load("{REPO}")' in text
    assert f'AutoPeftModelForCausalLM.from_pretrained("{REPO}")' in text
    assert f'"acme/base-135m", revision="{lock.base.revision}"' in text
    assert "--max-lora-rank 64 " in text  # the smallest that vLLM accepts for rank 40
    assert 'hubexpert.load(".")' in text_of(lock, repo=None)


def test_the_snippets_are_valid_python() -> None:
    for snippet in re.findall(r"```python\n(.*?)```", text_of(a_lock()), re.DOTALL):
        compile(snippet, "snippet", "exec")


def test_vllm_is_not_promised_where_it_would_fail() -> None:
    lock = a_lock()
    mixed = lock.model_copy(update={"build": lock.build.model_copy(update={"uses_rank_pattern": True})})
    huge = lock.model_copy(update={"build": lock.build.model_copy(update={"rank": 513})})
    assert "vllm serve" not in text_of(mixed)
    assert "`rank_pattern`" in text_of(mixed)
    assert "vllm serve" not in text_of(huge)


def test_a_local_base_is_named_without_its_path() -> None:
    folder = "/home/someone/secret-project/base-135m"
    task = {"name": "q", "shots": "/home/someone/secret-project/shots.jsonl"}
    lock = a_lock(base=source(folder), recipe=a_recipe(base=folder, task=task))
    text = text_of(lock)
    assert "someone" not in text
    assert "secret-project" not in text
    assert "experts on base-135m" in text
    assert "base: base-135m\n" in text
    assert "shots: shots.jsonl\n" in text
    assert ModelCard(text).data.get("base_model") is None
    assert "base_model:" not in text.split("---")[1]


def test_what_begins_like_a_path_in_the_recipe_stays_as_it_is() -> None:
    task = {"name": "q", "instruction": "/think about it", "shots": "./kshot/train.jsonl"}
    text = text_of(a_lock(recipe=a_recipe(task=task)))
    assert "instruction: /think about it\n" in text
    assert "shots: ./kshot/train.jsonl\n" in text


def test_limitations_follow_from_the_facts() -> None:
    text, report = text_of(a_lock()), a_report()
    assert "chosen on 32 examples: another draw of so few" in text
    assert "known to within about 8.5 points" in text
    assert "chosen by 2-fold cross-validation on the shots" in text
    fixed = a_lock()
    once = fixed.build.model_copy(update={"tuning": Tuning(learning_rate=1e-3, epochs=3)})
    assert "one learning rate (0.001)" in text_of(fixed.model_copy(update={"build": once}))
    assert "not compared with a fresh LoRA" not in text
    assert "not compared with a fresh LoRA" in text_of(a_lock(report=without(report, "fresh-lora")))
    assert "not compared with one of random experts" in text_of(a_lock(report=without(report, "random-experts")))
    assert "would score 55.0, which lies within" in text_of(a_lock(report=report.model_copy(update={"chance": 0.55})))
    assert "Guessing" not in text_of(a_lock(report=report.model_copy(update={"chance": 0.25})))


def test_licences_are_rolled_up_and_doubtful_ones_flagged() -> None:
    pool = (source("a/one", "cc-by-nc-4.0"), source("a/two", None), source("a/three", "llama2"))
    text = text_of(a_lock(pool=pool))
    data = ModelCard(text).data
    assert data.get("license") == "other"
    assert data.get("license_name") == "mixed-cc-by-nc-4.0-llama2-unknown"
    assert re.search(r"licence of \[`a/one`\]\(\S+\) is non-commercial: cc-by-nc-4.0\. Check", text)
    assert re.search(r"licence of \[`a/two`\]\(\S+\) is unknown\. Check", text)
    assert "licence of [`a/three`]" not in text


def test_a_conflict_of_licences_stands_below_the_verdict() -> None:
    """With the culprits; the card of one whose owner answers for a licence says so and names it."""
    pool = (source("a/one"), source("a/two", "cc-by-nd-4.0"), source("a/three"))
    text = text_of(a_lock(pool=pool))
    assert "`hubexpert publish` refuses it: a/two (cc-by-nd-4.0) forbids derivatives." in text
    assert text.index("Verdict") < text.index("refuses it") < text.index("| system |")
    assert ModelCard(text).data.get("license") == "other"
    chosen = a_lock(pool=pool).model_copy(update={"recipe": a_recipe(publish={"license": "MIT"})})
    text = text_of(chosen)
    assert "conflict; `mit` is what the publisher answers for: a/two (cc-by-nd-4.0) forbids derivatives." in text
    assert ModelCard(text).data.get("license") == "mit"
    fitting = a_lock().model_copy(update={"recipe": a_recipe(publish={"license": "cc-by-4.0"})})
    assert "`cc-by-4.0`, was set by the publisher" in text_of(fitting)
    assert "conflict" not in text_of(fitting)


def test_the_refused_are_counted_and_the_first_thirty_listed() -> None:
    lock = a_lock()
    many = tuple(
        Candidate(source=source(f"odd/number-{i:03}"), verdict="license", reasons=("no licence",), found_by=("tag",))
        for i in range(70)
    )
    text = text_of(lock.model_copy(update={"discovery": lock.discovery.model_copy(update={"candidates": many})}))
    assert "<summary>Refused (71)</summary>" in text
    assert "- `license`: 70\n- `no-op`: 1\n" in text
    assert text.count("odd/number-") == 2 * 30
    assert "41 more stand in `hubexpert.lock`" in text


def test_the_scored_but_not_chosen_are_listed_with_the_reason() -> None:
    text = text_of(a_lock())
    assert f"<summary>Scored, not chosen ({len(POOL) - len(CHOSEN)})</summary>" in text
    for repo in POOL[3:]:
        assert re.search(rf"\[`{repo}`\]\S+ \| `apache-2.0` \| .* \| a more similar group ranks lower \|", text)


def hostile_lock(text: str) -> Lock:
    """A lock whose every free text is `text`."""
    lock = a_lock(pool=tuple(source(text or "x", text) for _ in range(3)))
    candidate = Candidate(source=source(text), verdict=text or "x", reasons=(text,), found_by=("tag",))
    selected = tuple(entry.model_copy(update={"reason": text}) for entry in lock.selection.pool)
    experts = tuple(expert.model_copy(update={"target_modules": (text,)}) for expert in lock.build.experts)
    systems = tuple(system.model_copy(update={"note": text}) for system in lock.report.systems)
    refused = (Refused(source=source(text), code=text or "x", reason=text),)
    task = {"name": text or "x", "instruction": text, "shots": "shots.jsonl", "test": text or "x"}
    return lock.model_copy(
        update={
            "recipe": a_recipe(task=task),
            "discovery": lock.discovery.model_copy(update={"candidates": (candidate,)}),
            "selection": lock.selection.model_copy(update={"pool": selected}),
            "scores": lock.scores.model_copy(update={"refused": refused}),
            "build": lock.build.model_copy(update={"experts": experts, "packages": {text or "x": text}}),
            "report": lock.report.model_copy(update={"systems": systems, "sentence": text}),
            "data": a_data(source(text, text, repo_type="dataset")),
        }
    )


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.isascii() or "\ud800" not in text])
def test_a_hostile_lock_changes_only_words_in_the_card(text: str) -> None:
    """Same tables, rows, cells and HTML as with a harmless text, and no link that leaves the Hub."""

    def shape(card: str) -> tuple[list[str], set[str]]:
        html = MarkdownIt("commonmark").enable("table").render(card.partition("\n---\n\n")[2])
        links = set(re.findall(r'(?:href|src)="([^"]*)"', html))
        foreign = {link for link in links if not link.startswith("https://hub.example/")}
        return re.findall(r"</?(?!a\b)([a-z0-9]+)", html), foreign

    tags, links = shape(text_of(hostile_lock(text)))
    harmless = "~not a repository id" if is_folder(text) else "not a repository id"
    expected_tags, expected_links = shape(text_of(hostile_lock(harmless)))
    assert tags == expected_tags
    assert links == expected_links


@pytest.mark.parametrize("text", ["$x_{$ \\frac", "模型 \u202e", "a" * 300, "<b>`|`"])
def test_figures_are_drawn_from_hostile_names_too(text: str, tmp_path: Path) -> None:
    write_card(hostile_lock(text), tmp_path, repo=REPO)
    assert all((tmp_path / "figures" / name).stat().st_size > 5000 for name in FIGURES)


def test_a_lock_without_shares_or_finite_perplexities_gets_the_other_figures(tmp_path: Path) -> None:
    lock = a_lock()
    scores = tuple(score.model_copy(update={"perplexity": float("inf")}) for score in lock.scores.scores)
    bare = lock.model_copy(
        update={
            "build": lock.build.model_copy(update={"shares": {}}),
            "report": lock.report.model_copy(update={"contributions": None}),
            "scores": lock.scores.model_copy(update={"scores": scores}),
        }
    )
    write_card(bare, tmp_path, repo=REPO)
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["comparison.png"]
    assert "shares.png" not in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_what_each_option_costs_and_how_sure_each_difference_is_stands_in_the_table() -> None:
    lock = a_lock()
    costs = {"routed": Cost(parameters=4_240_000, rank=80, latency=1.31), "base": Cost(latency=1.0)}
    systems = tuple(s.model_copy(update={"cost": costs.get(s.name)}) for s in lock.report.systems)
    told = [d.model_copy(update={"p": 0.01, "adjusted": 0.05}) for d in lock.report.differences]
    text = text_of(a_lock(report=lock.report.model_copy(update={"systems": systems, "differences": tuple(told)})))
    row = next(line for line in text.splitlines() if line.startswith("| `routed`"))
    assert row.endswith("| - | 4.2 M | 80 | 1.31 |")
    base = next(line for line in text.splitlines() if line.startswith("| `base`"))
    assert base.endswith("| 0.05 | - | - | 1.00 |")
    assert "corrected for 5 comparisons (Holm)" in text


def test_contributions_stand_in_the_card_with_a_figure(tmp_path: Path) -> None:
    write_card(a_lock(), tmp_path, repo=REPO)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "in points on 100 held-out examples: its Shapley value over 8 groups of experts, and" in text
    assert "Without any expert the mixture scores 31.0, with all 60.0." in text
    assert "| +20.0 | +15.0 to +25.0 | +1.0 | -10.0 to +12.0 |" in text
    assert (tmp_path / "figures" / "contributions.png").stat().st_size > 5000
    without_them = a_report().model_copy(update={"contributions": None})
    assert "its Shapley value" not in text_of(a_lock(report=without_them))


def test_a_cross_validation_is_called_one() -> None:
    report = a_lock().report.model_copy(update={"protocol": "cross-validation"})
    text = text_of(a_lock(report=report))
    assert "repeated cross-validation; nothing is claimed for other examples" in text
    assert "| held out |" not in text


def test_data_beside_the_shots_are_traced_and_count_for_the_licence() -> None:
    """Each dataset at its commit with its licence and what was taken; one without any rows taken counts for nothing."""
    shared = source("open/rows", "cc-by-sa-4.0", repo_type="dataset")
    data = a_data(shared)
    lock = a_lock().model_copy(update={"data": data})
    beacons = Beacons(examples=35, before=0.51234, after=0.25, away=0.2)
    lock = lock.model_copy(update={"build": lock.build.model_copy(update={"beacons": beacons})})
    card = text_of(lock)
    assert f"[`open/rows`](https://hub.example/datasets/open/rows/tree/{shared.revision})" in card
    assert "| cc-by-sa-4.0 | 500 | 7 | 20 by select |" in card
    assert "| `rows.jsonl` | none given | 500 | 0 | 10 by select, 5 by rebase |" in card
    assert "| select | 900 | 30 | near-duplicate 7 |" in card
    assert "35 examples made of open datasets" in card
    assert "4 rows were removed" in card
    assert "1 dataset could not be read" in card
    assert "went from 0.512 to 0.250 by training; 20 %" in card
    metadata = ModelCard(card).data
    assert metadata.get("license") == "cc-by-sa-4.0"
    assert "open/rows" in metadata.get("datasets")
    assert "open/unused" not in card
    assert "made of open datasets" not in text_of(a_lock())


def test_data_without_derivatives_are_a_conflict() -> None:
    data = a_data(source("open/rows", "cc-by-nd-4.0", repo_type="dataset"))
    assert "open/rows (cc-by-nd-4.0) forbids" in text_of(a_lock().model_copy(update={"data": data}))
