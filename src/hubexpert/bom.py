"""The lock as a CycloneDX ML-BOM: what the mixture is made of, with licences, commits and digests."""

import json
from collections.abc import Mapping
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType, Pedigree
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import fixup_id
from packageurl import PackageURL

from hubexpert.assemble import published_files
from hubexpert.escape import HUB, address, clean, shown_name, trusted
from hubexpert.licenses import license_of
from hubexpert.lock import Lock, digest_of, used
from hubexpert.recipe import parse_recipe
from hubexpert.records import Source

MODEL, DATA = ComponentType.MACHINE_LEARNING_MODEL, ComponentType.DATA


def cyclonedx(lock: Lock) -> str:
    """The bill of materials in CycloneDX 1.6 JSON: equal locks give equal texts, which hold no time."""
    base = _part(lock.base, lock, "base")
    experts = [
        _part(expert.source, lock, "expert", rank=str(expert.rank), share=f"{expert.share:.4f}")
        for expert in lock.build.experts
    ]
    datasets = [_part(source, lock, "dataset") for source in used(lock)]
    packages = [_package(name, version) for name, version in sorted(lock.build.packages.items())]
    whole = _mixture(lock)
    made = Bom(
        metadata=BomMetaData(component=whole),
        components=[base, *experts, *datasets, *packages],
        serial_number=uuid5(NAMESPACE_URL, f"urn:hubexpert:lock:{digest_of(lock)}"),
    )
    made.register_dependency(whole, [base, *experts, *datasets, *packages])
    for expert in experts:
        made.register_dependency(expert, [base])
    told = json.loads(JsonV1Dot6(made).output_as_string())
    del told["metadata"]["timestamp"]  # the library always writes one
    return json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _mixture(lock: Lock) -> Component:
    """What was made, with its files, and the models that it was made of."""
    recipe = parse_recipe(lock.recipe, name="the recipe in the lock")
    models = [_part(expert.source, lock, "ancestor") for expert in lock.build.experts] or [
        _part(lock.base, lock, "ancestor")
    ]
    return Component(
        bom_ref="mixture",
        type=MODEL,
        name=clean(recipe.publish.repo or recipe.task.name),
        version=digest_of(lock)[:12],
        licenses=_licences(license_of(lock)),
        components=[_file(name, lock.build.files[name]) for name in published_files(lock)],
        pedigree=Pedigree(ancestors=models),
        properties=_properties(_facts(lock)),
    )


def _facts(lock: Lock) -> dict[str, str]:
    """What a model card says, in short; the library has no model cards of CycloneDX's own."""
    report, data = lock.report, lock.data
    digests = {**lock.digests, **({"data": data.digest} if data and data.digest else {})}
    return {
        "lock": digest_of(lock),
        "lock:version": str(lock.version),
        "verdict": report.verdict,
        "sentence": report.sentence,
        "protocol": report.protocol,
        "metric": lock.scores.metric,
        **{f"score:{system.name}": f"{system.value:.4f}" for system in report.systems},
        **{f"held-out:{system.name}": str(system.n) for system in report.systems},
        **{f"digest:{name}": digest for name, digest in digests.items()},
    }


def _part(source: Source, lock: Lock, role: str, **facts: str) -> Component:
    """A model or dataset at its commit; of a folder, by its contents."""
    name, where = clean(shown_name(source.repo)), address(source, lock.discovery.endpoint)
    found = ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(where)) if where else None
    return Component(
        bom_ref=f"{role}:{clean(source.repo)}@{source.revision}",
        type=DATA if source.repo_type == "dataset" else MODEL,
        name=name,
        version=source.revision,
        licenses=_licences(source.license),
        purl=_purl(source, lock.discovery.endpoint) if where and source.repo_type == "model" else None,
        external_references=[found] if found else [],
        properties=_properties({"role": role, **facts}),
    )


def _purl(source: Source, endpoint: str) -> PackageURL:
    """The model's package URL, which names the Hub where that is not the public one."""
    owner, _, name = source.repo.rpartition("/")
    other = trusted(endpoint)
    return PackageURL(
        type="huggingface",
        namespace=owner or None,
        name=name,
        version=source.revision,
        qualifiers={} if other == HUB else {"repository_url": other},
    )


def _package(name: str, version: str) -> Component:
    return Component(
        bom_ref=f"package:{name}@{version}",
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        purl=PackageURL(type="pypi", name=name, version=version),
    )


def _file(name: str, digest: str) -> Component:
    hashed = HashType(alg=HashAlgorithm.SHA_256, content=digest)
    return Component(bom_ref=f"file:{name}", type=ComponentType.FILE, name=clean(name), hashes=[hashed])


def _licences(named: str | None) -> list[DisjunctiveLicense]:
    """The licence by its SPDX id where it has one, else by the name that the Hub knows it by; none where none is."""
    if not named:
        return []
    known = fixup_id(named)
    return [DisjunctiveLicense(id=known) if known else DisjunctiveLicense(name=clean(named))]


def _properties(facts: Mapping[str, str]) -> list[Property]:
    return [Property(name=f"hubexpert:{clean(name)}", value=clean(value)) for name, value in facts.items()]
