"""Section `trust`: where the access of other cells differs from `identity.trust.policy`."""

from __future__ import annotations

from dataclasses import dataclass

from identity.trust import Policy
from settings.checks import policy_in, wrong_levels, wrong_needs, wrong_proofs, wrong_scopes
from settings.keys import key


@dataclass(frozen=True, slots=True)
class TrustConfig:
    """The values of the section."""

    levels: tuple[str, ...] = key(
        (),
        "the least score of a level, as `LEVEL=SCORE`; what is not named keeps its default"
        " (`full=0.9`, `standard=0.7`, `limited=0.5`, `read-only=0.3`), and scores rise with the"
        " levels",
        reload=True,
        items="LEVEL=SCORE",
        check=wrong_levels,
    )
    needs: tuple[str, ...] = key(
        (),
        "the level that a kind of request needs, as `REQUEST=LEVEL`, such as `exec=standard`;"
        " `none` lets everybody",
        reload=True,
        items="REQUEST=LEVEL",
        check=wrong_needs,
    )
    proofs: tuple[str, ...] = key(
        (),
        "whether the asking cell has to have proven its key within the hour, as `REQUEST=fresh` or"
        " `REQUEST=none`; possible for messages but `tx` and for journals. Unless told otherwise:"
        " `exec=fresh`, `journal-read-private=fresh`",
        reload=True,
        items="REQUEST=fresh or none",
        check=wrong_proofs,
    )
    scopes: tuple[str, ...] = key(
        (),
        "in which scope of attestations the score counts, as `REQUEST=SCOPE`, such as"
        " `exec=operations`; at most four scopes. What is said in general counts in each, where"
        " nothing is said in that; the network's score of a member counts as well",
        reload=True,
        items="REQUEST=SCOPE",
        check=wrong_scopes,
    )

    def policy(self) -> Policy:
        """Return the policy; raises BadPolicy."""
        return policy_in(self.levels, self.needs, self.proofs, self.scopes)
