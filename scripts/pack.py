"""Packs the tables that a scale's figures are drawn from, so that another clone redraws the same figures and trains nothing.

``python -m scripts.pack results/laptop/tables.tar.gz`` reads results/laptop/claims.json, which names each figure's tables with
their sha256, and writes them with their cards and the timing files into one archive; its first member, manifest.json, has the
sha256 of each. The same tables give the same bytes. ``python -m scripts.pack --unpack FILE`` checks every hash and puts the
files in place; then ``make redraw``, or ``snakemake --cores 2 results/fig5.pdf``.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
import time
from pathlib import Path, PurePosixPath

from scripts.lib.files import atomic, card_path, sha256_of

MANIFEST = "manifest.json"
ROOTS = ("results", "timings")  # nothing is unpacked anywhere else


class BrokenPack(Exception):
    """A table is not the one that its figure was drawn from, or a member not the one that the manifest lists."""


def members(page: dict, root: Path = Path(".")) -> dict[str, str]:
    """Path -> sha256 of all that goes into the archive: tables, cards, timing files; ``page`` is the scale's claims.json.

    Raises:
        BrokenPack: naming the table that is missing or differs from what its figure was drawn from.
    """
    found = {}
    for figure, made in page["figures"].items():
        for path, expected in made["tables"].items():
            if not (root / path).is_file():
                raise BrokenPack(f"{path}: missing; {figure} was drawn from it")
            found[path] = sha256_of(root / path)
            if found[path] != expected:
                raise BrokenPack(f"{path}: its sha256 is not the one that {figure} was drawn from; redraw, then pack")
            folders = [folder for folder in PurePosixPath(path).parents if len(folder.parts) > 2]
            for card in map(card_path, [path, *folders]):  # of a table, or of the folder that it lies in
                if (root / card).is_file():
                    found[str(card)] = sha256_of(root / card)
        found |= {path: sha256_of(root / path) for path in made["timings"] if (root / path).is_file()}
    return dict(sorted(found.items()))


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info


def pack(archive: str | Path, root: Path = Path(".")) -> dict[str, str]:
    """Write the archive beside the scale's claims.json; returns what it holds, path -> sha256."""
    listed = Path(archive).parent / "claims.json"
    if not listed.is_file():
        raise BrokenPack(f"{listed}: missing; it names the tables: make results/claims.html first")
    page = json.loads(listed.read_text(encoding="utf-8"))
    found = members(page, root)
    manifest = {"scale": page["scale"], "figures": {name: sorted(made["tables"]) for name, made in page["figures"].items()}}
    text = (json.dumps({**manifest, "sha256": found}, indent=2) + "\n").encode()
    with atomic(archive) as beside, open(beside, "wb") as file:
        # no name and no time in the header of gzip, none in those of tar
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
            tar.addfile(_member(MANIFEST, len(text)), io.BytesIO(text))
            for path in found:
                with open(root / path, "rb") as member:
                    tar.addfile(_member(path, os.fstat(member.fileno()).st_size), member)
    return found


def unpack(archive: str | Path, root: Path = Path(".")) -> list[str]:
    """Check the archive whole, then put its files in place; returns the paths that were not there before.

    All files of the archive get one and the same time, the present: some tables stand upstream of others (a base's evaluation
    of the gate before its runs), and none may count as newer than what was made from it.

    Raises:
        BrokenPack: naming a member that differs from the manifest, is missing or lies outside results/ and timings/, or a file
            already there with other content; then nothing is written.
    """
    with tarfile.open(archive, "r:gz") as tar:
        names = [info.name for info in tar.getmembers()]
        if names[:1] != [MANIFEST]:
            raise BrokenPack(f"{archive}: expected {MANIFEST} as its first member, found {names[:1]}")
        listed = json.load(tar.extractfile(MANIFEST))["sha256"]
        if different := sorted(set(names[1:]) ^ set(listed)):
            raise BrokenPack(f"{archive}: {', '.join(different)}: in the archive or in its manifest, but not in both")
        for info in tar.getmembers()[1:]:
            parts = PurePosixPath(info.name).parts
            if not info.isfile() or parts[0] not in ROOTS or ".." in parts:
                raise BrokenPack(f"{archive}: {info.name}: expected a plain file under {' or '.join(ROOTS)}")
            if _sha256(tar, info) != listed[info.name]:
                raise BrokenPack(f"{archive}: {info.name}: its sha256 is not the one in the manifest; the archive is damaged")
        there = {name: sha256_of(root / name) for name in listed if (root / name).exists()}
        for name, digest in there.items():
            if digest != listed[name] and name.startswith("results/"):
                raise BrokenPack(f"{root / name}: already there with other content; move it away first")
        written = []
        for info in tar.getmembers()[1:]:
            if info.name not in there:
                with atomic(root / info.name) as beside, open(beside, "wb") as file:
                    member = tar.extractfile(info)
                    while piece := member.read(1 << 20):
                        file.write(piece)
                written.append(info.name)
    now = time.time_ns()
    for name in listed:
        os.utime(root / name, ns=(now, now))
    return written


def _sha256(tar: tarfile.TarFile, info: tarfile.TarInfo) -> str:
    digest = hashlib.sha256()
    member = tar.extractfile(info)
    while piece := member.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


def main(arguments: list[str] | None = None) -> None:
    """The command line: pack, or with --unpack unpack."""
    parser = argparse.ArgumentParser(prog="python -m scripts.pack", description=__doc__.split("\n\n")[0])
    parser.add_argument("archive", help="results/laptop/tables.tar.gz")
    parser.add_argument("--unpack", action="store_true", help="check the archive and put its files in place here")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.unpack:
            print(f"{len(unpack(chosen.archive))} files put in place; now: make redraw")
        else:
            found = pack(chosen.archive)
            print(f"{chosen.archive}: {len(found)} files, {Path(chosen.archive).stat().st_size / 1024:.0f} KiB")
    except (BrokenPack, OSError, tarfile.TarError) as error:
        sys.exit(f"pack: {error}")


if __name__ == "__main__":
    main()
