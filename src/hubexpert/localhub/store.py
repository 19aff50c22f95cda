"""The store: a folder with the contents of files (`blobs`) and an index of repositories (SQLite)."""

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from hubexpert.errors import HubExpertError
from hubexpert.localhub import database
from hubexpert.localhub.blobs import Blobs
from hubexpert.localhub.commits import commit_edits
from hubexpert.localhub.folder import folder_edits
from hubexpert.localhub.records import LOCAL_AUTHOR, MAIN, Refusal, Repo, RepoType
from hubexpert.localhub.repos import check_id, find, insert


@dataclass(frozen=True)
class Store:
    """All repositories under `root`, which is made when it is missing.

    What is read or changed together goes through one `reading()` or `writing()` block; the functions of `repos`,
    `commits`, `history`, `listing` and `discussions` take the connection of such a block.

    Raises:
        HubExpertError: when `root` cannot hold a store.
    """

    root: Path

    def __post_init__(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            # First the index: in a folder with somebody else's one, nothing is touched.
            database.prepare(self._index)
            self.blobs.prepare()
        except (OSError, sqlite3.DatabaseError) as error:
            fix = "Give a folder that is empty, or was made by this command."
            raise HubExpertError(f"{self.root} cannot hold a Hub: {error}.", fix=fix) from error

    @property
    def _index(self) -> Path:
        return self.root / "index.sqlite3"

    @property
    def blobs(self) -> Blobs:
        """The contents of all files."""
        return Blobs(self.root / "blobs")

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection whose statements all see one state of the store."""
        return database.reading(self._index)

    def writing(self, *, wait: float = database.WAIT) -> AbstractContextManager[sqlite3.Connection]:
        """A connection that alone may write; all or none of the block takes effect, also after `kill -9`.

        Raises:
            sqlite3.OperationalError: when others use the index for `wait` seconds, or it cannot be written.
        """
        return database.writing(self._index, wait)

    def add_folder(
        self,
        repo_id: str,
        folder: Path,
        *,
        repo_type: RepoType = "model",
        message: str = "Add files",
        private: bool = False,
    ) -> str:
        """Put the files of `folder` into a repository, made when it is missing; the 40-hex id of its head.

        Files of the repository that are not in `folder` stay. Identical content makes no new commit.

        Raises:
            HubExpertError: on a bad `repo_id`, a missing folder, a file that cannot be kept, or a disk that is full.
        """
        return self.add_folders([(repo_id, folder)], repo_type=repo_type, message=message, private=private)[0]

    def add_folders(
        self,
        folders: Sequence[tuple[str, Path]],
        *,
        repo_type: RepoType = "model",
        message: str = "Add files",
        private: bool = False,
    ) -> list[str]:
        """As `add_folder` for each (repository, folder), the ids of their heads; all of them take effect, or none.

        A folder that is given several times is read once, so a Hub of many repositories is made in little time.

        Raises:
            HubExpertError: as `add_folder`.
        """
        what = folders[0][0] if len(folders) == 1 else f"{len(folders):,} repositories"
        try:
            for repo_id, _ in folders:
                check_id(repo_id)
            edits = {folder: folder_edits(self.blobs, folder) for folder in dict.fromkeys(path for _, path in folders)}
            with self.writing() as db:
                return [
                    commit_edits(db, self.blobs, repo, MAIN, edits[folder], title=message, author=LOCAL_AUTHOR)
                    for repo_id, folder in folders
                    for repo in [self._repo(db, repo_type, repo_id, private)]
                ]
        except Refusal as refusal:
            fix = "Use an id like 'me/my-model', and files with plain relative names."
            raise HubExpertError(f"The Hub in {self.root} cannot take {what}: {refusal.message}", fix=fix) from refusal
        except (OSError, sqlite3.OperationalError) as error:
            fix = "Free space on its disk, or try again when nobody else writes to it."
            raise HubExpertError(f"The Hub in {self.root} cannot take {what}: {error}.", fix=fix) from error

    def _repo(self, db: sqlite3.Connection, repo_type: RepoType, repo_id: str, private: bool) -> Repo:
        """The repository with that id, made when it is missing."""
        found = find(db, repo_type, repo_id)
        return found or insert(db, self.blobs, repo_type, repo_id, private=private, author=LOCAL_AUTHOR)
