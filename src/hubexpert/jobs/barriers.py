"""What of a recipe cannot travel to a job, told before anything is sent."""

import ipaddress
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

from hubexpert.errors import HubExpertError
from hubexpert.recipe import Recipe, TeacherSection, is_folder


def refuse_barriers(recipe: Recipe) -> None:
    """See that a job elsewhere can have all that the recipe names.

    Raises:
        HubExpertError: it cannot; the first hindrance with its way out.
    """
    for message, fix in _barriers(recipe):
        raise HubExpertError(message, fix=fix)


def _barriers(recipe: Recipe) -> Iterator[tuple[str, str]]:
    put = "put the model on the Hub (a private repository will do) and name it there"
    models = {"base": recipe.base, "data.encoder": recipe.data.encoder, "data.kard.model": recipe.data.kard.model or ""}
    for key, name in models.items():
        if is_folder(name):
            yield f"`{key}` is a folder on this machine, which a job cannot read.", put
    if is_folder(recipe.task.metric):
        yield "`task.metric` is a script on this machine, which a job cannot read.", "name a metric of the Hub"
    teacher = recipe.data.teacher
    if teacher is None:
        return
    if teacher.local and is_folder(teacher.model):
        yield "`data.teacher.model` is a folder on this machine, which a job cannot read.", put
    if teacher.url and _is_near(teacher.url):
        fix = "name a server that the Hub's machines reach, an inference `provider`, or `local: true`"
        yield "`data.teacher.url` is an address of this machine or its network, which a job cannot reach.", fix
    if teacher.key_env and not keys(teacher):
        yield f"The environment variable {teacher.key_env} holds no key.", f"export {teacher.key_env}=..."


def keys(teacher: TeacherSection | None) -> dict[str, str]:
    """The teacher's key by the name of its variable, where it has one."""
    name = teacher.key_env if teacher else None
    value = os.environ.get(name, "").strip() if name else ""
    return {name: value} if name and value else {}


def _is_near(url: str) -> bool:
    """Whether an address means this machine or a network that only it is in: by number, or a name without a domain."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal", ".lan"))
