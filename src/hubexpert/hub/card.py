"""The Hub's own check of a model card."""

from huggingface_hub import constants, get_session
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]  # exported at run time only

from hubexpert.escape import clean
from hubexpert.hub.calls import TIMEOUT, call


def card_fault(text: str) -> str | None:
    """What the Hub would object to in a model card's metadata; None where it accepts them. One request.

    Raises:
        HubExpertError: the Hub cannot be reached.
    """
    address, asked = f"{constants.ENDPOINT}/api/validate-yaml", {"content": text, "repoType": "model"}

    def ask() -> str | None:
        answer = get_session().post(address, json=asked, headers=build_hf_headers(), timeout=TIMEOUT)
        if answer.status_code != 400:
            hf_raise_for_status(answer)
            return None
        errors = answer.json().get("errors") or [{}]
        return clean("; ".join(str(error.get("message", "no reason given")) for error in errors))

    return call(ask, "the model card")
