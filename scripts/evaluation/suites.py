"""A suite as lm-eval's task objects, and what a model answers to them.

Reads {task}.yaml and {task}.jsonl of a suite folder (kinds pocket and perturbed), or tasks that lm-eval ships, whose data lie
in the folder's data/{task}/, taken from the hub at the row's revisions (kind harness). Makes Task objects, zero-shot, their
requests, and scores of single items. Programs that models write are run in a sandbox.
"""

import functools
import os
import re
import sys
from collections.abc import Iterator
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.evaluation.programs import CODE, register, replace_code_eval
from scripts.evaluation.sandbox import Unsafe, self_test
from scripts.lib import hub

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from lm_eval.api.model import LM
    from lm_eval.api.task import Task

DATA = re.compile(r"\.(parquet|csv|jsonl?(\.gz|\.zst)?)$")  # what is read without running anything
# A suite's tasks by the name in its row; a group of lm-eval (minerva_math) is one name with several tasks.
Tasks = dict[str, list["Task"]]


class NoTasks(Exception):
    """A suite whose tasks cannot be loaded; the message names the suite, the file or the task, and says what to do."""


def quiet(cache: str | Path | None = None) -> None:
    """Silence bars and chatter of lm-eval and its libraries; with ``cache``, keep their files there and off the network.

    To be called before lm_eval is imported, which reads the environment once.
    """
    import logging

    os.environ |= {"TQDM_DISABLE": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1"}
    if cache is not None:
        os.environ |= dict.fromkeys(
            ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_EVALUATE_OFFLINE", "TRANSFORMERS_OFFLINE"), "1"
        )
        os.environ |= {"HF_HOME": str(cache), "HF_DATASETS_CACHE": str(Path(cache) / "datasets")}
        if "datasets" in sys.modules:
            sys.modules["datasets"].config.HF_DATASETS_CACHE = Path(cache) / "datasets"
    for name in ("lm_eval", "lm-eval", "evaluate", "datasets", "transformers", "httpx", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)


def local_configs(folder: str | Path) -> dict[str, dict]:
    """lm-eval's configuration of each {task}.yaml by task, sorted by file, with data files that lie in the folder.

    Raises:
        NoTasks: when the folder has no YAML, a YAML is no task, or a data file that it names is missing.
    """
    from lm_eval.tasks._yaml_loader import load_yaml

    folder = Path(folder).resolve()
    configs = {}
    for path in sorted(folder.glob("*.yaml")):
        with CODE.collected():
            config = load_yaml(path, resolve_func=True)
        if "task" not in config:
            raise NoTasks(f"{path}: no task configuration of lm-eval; expected at least the keys task and dataset_kwargs")
        files = config.get("dataset_kwargs", {}).get("data_files", {})
        found = {split: str(folder / Path(name).name) for split, name in files.items()}
        for split, data in found.items():
            if not Path(data).is_file():
                raise NoTasks(f"{path}, key dataset_kwargs.data_files.{split}: {data} is missing")
        configs[config["task"]] = {**config, "dataset_kwargs": {**config.get("dataset_kwargs", {}), "data_files": found}}
    if not configs:
        raise NoTasks(f"{folder}: no {{task}}.yaml; expected the suite's tasks as the suite's rule writes them")
    return configs


def data_set(row: dict) -> tuple[Path, list[str]]:
    """A data set of the hub at its revision: the folder that has its files, and their names.

    They are the data files, and README.md, which says what the configurations are.

    Raises:
        scripts.lib.hub.NotHad: one line, when it cannot be had, or holds no file that is read without running code.
    """
    files = hub.files_of(row, "dataset")
    names = [name for name in files if DATA.search(name)]
    if not names:
        raise hub.NotHad(f"{row['repo']} at {row['revision']} has no Parquet, CSV or JSON file; loading scripts are not run")
    names += [name for name in files if name == "README.md"]
    return hub.fetch(row, names, "dataset", files), names


def place_data(row: dict, out: Path) -> None:
    """Put the data of a harness suite's tasks into ``out``/{task}/.

    Raises:
        NoTasks: one line that names the row and the task, when a data set cannot be had.
    """
    if missing := [task for task in row["tasks"] if task not in row["data"]]:
        raise NoTasks(
            f"suite {row['name']}, key data: nothing for {', '.join(missing)}; expected repo and revision of its data"
        )
    for task, data in row["data"].items():
        try:
            folder, names = data_set({**data, "scale": row["scale"]})
        except hub.NotHad as error:
            raise NoTasks(f"suite {row['name']}, key data, {task}: {error}") from None
        for name in names:
            (out / task / name).parent.mkdir(parents=True, exist_ok=True)
            hub.link((folder / name).resolve(), out / task / name)


def load_tasks(row: dict, folder: str | Path | None = None, answers: bool = True) -> Tasks:
    """The tasks of a suite with their requests, seeds fixed as lm-eval fixes them; a task's ``shots`` are 0 if not given.

    Requests are built once: prompts do not depend on the model.

    Args:
        row: the suite's row; ``tasks`` names them. Kind harness takes lm-eval's own, other kinds those of ``folder``.
        folder: where {task}.yaml and {task}.jsonl lie, or for kind harness data/{task}/.
        answers: whether models will answer; then tasks that run what models write need a sandbox that holds.

    Raises:
        NoTasks: when a task is unknown, its data cannot be had, or it runs code and no sandbox holds here.
    """
    from lm_eval import utils
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks._yaml_loader import load_yaml

    if not hasattr(utils.env.from_string, "cache_info"):
        # lm-eval compiles a template anew for every item; there are a few templates and thousands of items.
        utils.env.from_string = functools.cache(utils.env.from_string)
    register()
    local = row["kind"] != "harness"
    configs = local_configs(folder) if local else {}
    manager = TaskManager(include_defaults=not local)
    known = configs if local else manager.task_index
    if unknown := [name for name in row["tasks"] if name not in known]:
        raise NoTasks(f"suite {row['name']}, key tasks: {folder if local else 'lm-eval'} has no task {', '.join(unknown)}")
    tasks: Tasks = {}
    for name in row["tasks"]:
        config = configs.get(name) or (load_yaml(path, resolve_func=False) if (path := known[name].yaml_path) else {})
        if config.get("unsafe_code", False):
            _prepare_for_code(row, name, answers)
        try:
            with CODE.collected():  # lm-eval's code tasks try code_eval as they are imported
                spec = configs[name] if local else _on_data(name, config, row, folder)
                tasks[name] = list(manager.load([spec])["tasks"].values())
        except Exception as error:
            if local or isinstance(error, NoTasks):
                raise
            raise NoTasks(
                f"suite {row['name']}, key tasks: {name} cannot be made of its data in {folder}/data/{name} "
                f"({type(error).__name__}: {' '.join(str(error).split())[:160]})"
            ) from None
    for name, task in ((name, task) for name, parts in tasks.items() for task in parts):
        task.set_config(key="num_fewshot", value=row["tasks"][name].get("shots", 0))
        if getattr(task, "UNSAFE_CODE", False):  # a group's member
            _prepare_for_code(row, task.task_name, answers)
        task.set_fewshot_seed(seed=1234)
        task.build_all_requests(rank=0, world_size=1)
    return tasks


def _on_data(name: str, config: dict, row: dict, folder: str | Path | None) -> dict:
    """lm-eval's own task of this name, or those of its group, reading data/{task}/ of the folder in the place of the hub."""
    data = Path(folder or ".").resolve() / "data" / name
    if not data.is_dir():
        raise NoTasks(f"suite {row['name']}, key tasks: {data} is missing; let Snakemake make the suite's folder again")
    members = config["task"] if isinstance(config.get("task"), list) else [name]
    return {"group": row["name"], "task": [{"task": member, "dataset_path": str(data)} for member in members]}


def _prepare_for_code(row: dict, name: str, answers: bool) -> None:
    """Let a task run its programs in the sandbox, and see that this holds."""
    if row["kind"] == "harness":
        replace_code_eval()
    if answers:
        try:
            self_test()
        except Unsafe as error:
            raise NoTasks(f"suite {row['name']}, key tasks: {name} runs code that models wrote, and {error}") from None


def items_of(parts: list["Task"]) -> Iterator[tuple[int, "Task", list["Instance"]]]:
    """(item, task, its requests) of one name; a group's items are numbered through its tasks.

    In the suites that this workflow makes (local JSON), a document's key ``item`` is its number, so that a variant of another
    task's item has that item's; the key of a published data set would mean something else.
    """
    first = 0
    for task in parts:
        items: dict[int, list[Instance]] = {}
        for instance in task.instances:
            items.setdefault(instance.doc_id, []).append(instance)
        for item, instances in items.items():
            own = instances[0].doc if task.config.dataset_path == "json" else {}
            number = own.get("item", first + item)
            yield number, task, sorted(instances, key=lambda instance: instance.idx)
        first += max(items) + 1


def answer(lm: "LM", tasks: Tasks) -> list[tuple[str, str, str, int, float]]:
    """Put all requests to a model and score the answers: (task, filter, metric, item, score).

    The steps of `lm_eval.evaluate`, with the tasks' own filters and metrics, but without building requests and hashing
    documents again for every model. Metrics that are no number of one item (perplexity's pairs) are left out.
    """
    asked: dict[str, list[Instance]] = {}
    for instance in (instance for parts in tasks.values() for task in parts for instance in task.instances):
        instance.resps, instance.filtered_resps = [], {}
        asked.setdefault(instance.request_type, []).extend([instance] * (instance.repeats or 1))
    for kind, instances in asked.items():
        for instance, response in zip(instances, getattr(lm, kind)(instances), strict=True):
            instance.resps.append(response)
    for task in (task for parts in tasks.values() for task in parts):
        task.apply_filters()
    _run_programs(tasks)
    lines = []
    for name, parts in tasks.items():
        for item, task, instances in items_of(parts):
            for chosen in instances[0].filtered_resps:
                metrics = task.process_results(instances[0].doc, [instance.filtered_resps[chosen] for instance in instances])
                lines += [(name, chosen, m, item, float(v)) for m, v in metrics.items() if isinstance(v, Number)]
    return lines


def _run_programs(tasks: Tasks) -> None:
    """Run the programs of all items as one batch, so that their outcomes are there when an item is scored."""
    with CODE.collected() as programs:
        for parts in tasks.values():
            for _, task, instances in items_of([task for task in parts if getattr(task, "UNSAFE_CODE", False)]):
                for chosen in instances[0].filtered_resps:
                    task.process_results(instances[0].doc, [instance.filtered_resps[chosen] for instance in instances])
    CODE.run(list(programs))


def describe(tasks: Tasks) -> dict[str, dict]:
    """What a card says of each task: items, output (multiple_choice or generate_until), and the score of a guess.

    Chance is the mean over items of one over the number of choices, and 0 where the answer is generated.
    """
    result = {}
    for name, parts in tasks.items():
        output = parts[0].OUTPUT_TYPE
        guesses = [1 / len(instances) if output == "multiple_choice" else 0.0 for _, _, instances in items_of(parts)]
        result[name] = {"items": len(guesses), "output": output, "chance": round(sum(guesses) / len(guesses), 6)}
    return result
