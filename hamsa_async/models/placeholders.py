"""Which variables an agent's texts have: `{{name}}` in its greeting and its preamble."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hamsa_async.errors import ConfigurationError
from hamsa_async.models.agents import AgentDetails
from hamsa_async.models.agents_v2 import VoiceAgentV2

AnyAgent = AgentDetails | VoiceAgentV2 | Mapping[str, Any]
"""An agent as either route gives it, or described on the spot, in the API's field names."""

_BRACES: Final = re.compile(r"\{\{([^{}]*)\}\}")


def placeholders_in(agent: AnyAgent) -> tuple[str, ...]:
    """Name the variables in an agent's greeting and preamble.

    A variable is what stands between two braces and two braces: `{{name}}`, `{{ name }}`,
    `{{اسم العميل}}`. Braces that are not closed, that hold nothing, or whose text goes over
    several lines are none.

    Texts in the nodes of a flow agent are not looked at: what a node looks like is not
    documented, and a variable in it may be the flow's own.

    Args:
        agent: See `AnyAgent`.

    Returns:
        The names without braces and surrounding whitespace, each once, in the order in which
        they appear, the greeting's first. They are spelt as the agent spells them.

    Raises:
        ConfigurationError: It is no agent.
    """
    named = (name for text in _texts(agent) for name in _names(text))
    return tuple(dict.fromkeys(named))


def _texts(agent: AnyAgent) -> Iterator[str]:
    match agent:
        case AgentDetails():
            texts: tuple[Any, ...] = (agent.greeting_message, agent.preamble)
        case VoiceAgentV2():
            said = agent.conversation
            texts = () if said is None else (said.greeting_message, said.preamble)
        case Mapping():
            texts = (agent.get("greetingMessage"), agent.get("preamble"))
        case _:
            raise ConfigurationError(f"this is no agent: {type(agent).__name__}")
    return (text for text in texts if isinstance(text, str))


def _names(text: str) -> Iterator[str]:
    for found in _BRACES.finditer(text):
        name = found[1].strip()
        if len(name.splitlines()) == 1:
            yield name
