"""Files of a repository of the Hugging Face hub at a pinned commit: from huggingface_hub's cache, else downloaded into it.

Two things are done here that huggingface_hub leaves out. Every file is compared with the size and the hash that the hub lists
for it (sha256 of a large file, git's hash of a small one), and is not kept if it differs. And a download that was cut off goes
on where it stopped, in a later job too. Nothing is asked of the network when the cache has it all.
"""

import glob
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from scripts.lib.files import sha256_of
from scripts.lib.progress import Progress


class NotHad(Exception):
    """Files that neither the cache nor the hub gives; one line that names the repository or the file and says what to do."""


class File(NamedTuple):
    """A file as the hub lists it: bytes, and the hash by which the cache calls it (empty where no listing is at hand)."""

    size: int
    hash: str


def page(repo: str, kind: str = "model") -> str:
    """The page of a repository (kind model or dataset), where a gated one shows its terms."""
    return f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{repo}"


def own_copy(row: dict) -> str:
    """What to write in the place of a hub row in order to use files that one has."""
    path = {"path": "my/files/*.jsonl.gz", "text": row["text"]} if "text" in row else {"path": "/path/to/it"}
    keys = {"kind": "path"} | ({"scales": f"[{row['scale']}]"} if "scale" in row else {}) | path
    keys |= {"bos": row["bos"]} if "bos" in row else {}
    written = ", ".join(f"{key}: {value}" for key, value in keys.items())
    return f"to use a copy of yours, replace the row by `{row['name']}: {{{written}}}`"


def snapshot(row: dict, kind: str = "model") -> Path:
    """The folder in which the cache shows the files of a row's repo at its revision; it need not exist."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = repo_folder_name(repo_id=row["repo"], repo_type=kind)
    return Path(constants.HF_HUB_CACHE).expanduser() / folder / "snapshots" / row["revision"]


def files_of(row: dict, kind: str = "model") -> dict[str, File]:
    """Name -> file of a row's repository at its revision: the listing in the cache, else the hub's, else what the cache holds.

    Args:
        row: repo, revision (a full commit hash, so that a listing never grows old), scale.
        kind: model or dataset.

    Raises:
        NotHad: when there is no such repository or revision, it is gated, or the hub cannot be reached.
    """
    from huggingface_hub import HfApi, RepoFile

    folder = snapshot(row, kind)
    listing = folder.parent.parent / f"trees/{row['revision']}.json"  # huggingface_hub keeps it and shows it without sha256
    if listing.is_file():
        known = json.loads(listing.read_text(encoding="utf-8"))["files"]
        return {name: File(one["size"], one.get("lfs_sha256") or one["blob_id"]) for name, one in known.items()}
    if _offline() and folder.is_dir():  # filled by another program
        return {str(path.relative_to(folder)): _unlisted(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    with _one_line(row, kind):
        entries = HfApi().list_repo_tree(row["repo"], recursive=True, revision=row["revision"], repo_type=kind)
        listed = [entry for entry in entries if isinstance(entry, RepoFile)]
    return {one.path: File(one.size, one.lfs.sha256 if one.lfs else one.blob_id) for one in listed}


def _offline() -> bool:
    from huggingface_hub import constants

    return constants.is_offline_mode()


def _unlisted(path: Path) -> File:
    return File(path.stat().st_size, Path(os.readlink(path)).name if path.is_symlink() else "")


def fetch(row: dict, names: Sequence[str], kind: str = "model", files: dict[str, File] | None = None) -> Path:
    """The folder that holds these files of a row's repository, every one compared with its hash.

    Args:
        row: repo, revision, scale.
        names: which of ``files``.
        kind: model or dataset.
        files: as ``files_of`` gives them; asked for if not given.

    Raises:
        NotHad: when the hub or the network fails, the disk is too small, or a file differs from what the hub lists; such a
            file is removed, so that the next call downloads it again.
    """
    files = files_of(row, kind) if files is None else files
    folder = snapshot(row, kind)
    absent = [name for name in names if not (folder / name).exists()]
    with _one_line(row, kind):
        compared = _download(row, absent, kind, files, folder.parent.parent / "blobs") if absent else []
    for name in names:
        if name not in compared and (wrong := differs(folder / name, files[name])):
            with suppress(OSError):
                (folder / name).resolve().unlink()
                (folder / name).unlink(missing_ok=True)
            raise NotHad(f"{row['repo']}: {name} in the cache {wrong}; it is removed, run again to download it")
    return folder


def differs(path: Path, file: File) -> str | None:
    """What is wrong with a file, or None: ``has 10 bytes, expected 20``."""
    size = path.stat().st_size
    if size != file.size:
        return f"has {size} bytes, expected {file.size}"
    if len(file.hash) == 64 and (found := sha256_of(path)) != file.hash:
        return f"has sha256 {found}, expected {file.hash}"
    if len(file.hash) == 40:
        found = hashlib.sha1(b"blob %d\0" % size + path.read_bytes(), usedforsecurity=False).hexdigest()
        if found != file.hash:
            return f"has git hash {found}, expected {file.hash}"
    return None


def link(source: Path, target: Path) -> None:
    """Give a file of the cache a second name, or copy it where the file system cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _download(row: dict, names: list[str], kind: str, files: dict[str, File], blobs: Path) -> list[str]:
    """Download files into the cache's ``blobs`` under their hashes, then let huggingface_hub put their names on them.

    Returns the names of those that were not there under their hashes and have been compared.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import OfflineModeIsEnabled
    from huggingface_hub.utils import WeakFileLock

    if _offline():
        raise OfflineModeIsEnabled("HF_HUB_OFFLINE is set")
    blobs.mkdir(parents=True, exist_ok=True)
    todo = [name for name in names if not (blobs / files[name].hash).exists()]
    size = sum(files[name].size for name in todo)
    free = shutil.disk_usage(blobs).free
    print(f"{row['repo']}: downloading {len(todo)} files, {gigabytes(size)}, into {blobs.parent}, {gigabytes(free)} free")
    if size > free:
        raise NotHad(
            f"{row['repo']}: {gigabytes(size)} are needed in {blobs}, {gigabytes(free)} are free; set HF_HOME elsewhere"
        )
    for name in todo:
        part = blobs / f"{files[name].hash}.part"
        lock = blobs.parent.parent / f".locks/{blobs.parent.name}/{files[name].hash}.lock"  # huggingface_hub's own
        lock.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(lock):
            _download_one(row, name, kind, files[name], part)
    snapshot_download(
        row["repo"], repo_type=kind, revision=row["revision"], allow_patterns=[glob.escape(name) for name in names]
    )
    return todo


def _download_one(row: dict, name: str, kind: str, file: File, part: Path) -> None:
    """Go on with a partial file until it is whole, then give it the name by which the cache knows it."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    blob = part.with_suffix("")
    if blob.exists():
        return
    if part.exists() and part.stat().st_size > file.size:
        part.unlink()
    have = part.stat().st_size if part.exists() else 0
    url = hf_hub_url(row["repo"], name, repo_type=kind, revision=row["revision"])
    with open(part, "ab") as out:
        try:
            options = {"displayed_filename": name, "tqdm_class": _progress, "headers": build_hf_headers()}
            http_get(url, out, resume_size=have, expected_size=file.size, **options)
        except HfHubHTTPError:
            if have:
                part.unlink()  # a server that refuses the rest may give the whole
            raise
        except OSError as error:
            if error.errno is not None:
                raise  # else it says that bytes are missing, as is seen below
    wrong = differs(part, file)
    if wrong and part.stat().st_size < file.size:
        raise NotHad(f"{row['repo']}: {name} {wrong}; the hub stopped early, run again to go on from there")
    if wrong:
        part.unlink()
        raise NotHad(f"{row['repo']}: {name} {wrong}; what came is not kept, run again to download it anew")
    os.replace(part, blob)


@contextmanager
def _progress(*, desc: str, total: int, initial: int = 0, **_: object) -> Iterator[SimpleNamespace]:
    with Progress(desc, total, "bytes", out=sys.stdout, done=initial) as progress:
        yield SimpleNamespace(update=progress.add)


def gigabytes(size: int) -> str:
    """A size for people: ``gigabytes(2471645608)`` is ``2.5 GB``, and ``gigabytes(84000)`` is ``0.1 MB``."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


@contextmanager
def _one_line(row: dict, kind: str) -> Iterator[None]:
    """Say in one line, as NotHad, what went wrong between here and the hub."""
    from huggingface_hub import constants, errors
    from huggingface_hub.utils import httpx

    repo = f"{kind} {row['repo']}"
    at = f"{repo} at {row['revision']}"
    unreachable = (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, httpx.TransportError)
    try:
        yield
    except errors.GatedRepoError:
        hint = "and set HF_TOKEN to a token of your account (or run `hf auth login`)"
        raise NotHad(f"{repo} is gated: accept its terms at {page(row['repo'], kind)} {hint}") from None
    except errors.RevisionNotFoundError:
        raise NotHad(f"{repo} has no revision {row['revision']}") from None
    except errors.RepositoryNotFoundError:
        raise NotHad(f"{repo} is not on the hub, or private and not open to your token") from None
    except unreachable as error:
        raise NotHad(
            f"{at} is not whole in the cache {constants.HF_HUB_CACHE}, and the hub cannot be reached ({_first_line(error)}); "
            f"on a node with network, `snakemake --cores 2 fetch --config scale={row.get('scale', '...')}` fills it"
        ) from None
    except (OSError, httpx.HTTPError) as error:
        raise NotHad(f"{at} cannot be downloaded ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    return " ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])
