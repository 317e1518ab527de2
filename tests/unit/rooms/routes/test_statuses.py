from typing import Any

from tests.unit.rooms.routes.examples import OFFER, route

from causeway.rooms.routes.model import Refusal
from causeway.rooms.routes.statuses import CONTESTED, Identity, Written, entry, merged

US = Identity("us", "router.example")
REFUSAL = Refusal("InvalidHost", "because")
EARLIER, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def told(refusal: Refusal | None, now: str) -> dict[str, Any]:
    return entry(route(), refusal, US, OFFER.rules, now)


def test_what_is_said_of_a_route() -> None:
    assert told(REFUSAL, EARLIER) == {
        "host": "www.apps.example",
        "routerName": "us",
        "routerCanonicalHostname": "router.example",
        "wildcardPolicy": "None",
        "conditions": [
            {
                "type": "Admitted",
                "status": "False",
                "reason": "InvalidHost",
                "message": "because",
                "lastTransitionTime": EARLIER,
            }
        ],
    }


def test_the_same_again_is_no_news() -> None:
    assert merged([told(None, EARLIER)], told(None, LATER)) is None


def test_another_reason_is_no_transition() -> None:
    after = merged([told(Refusal("NoHostValue", "x"), EARLIER)], told(REFUSAL, LATER))
    assert after is not None
    assert after[0]["conditions"][0]["lastTransitionTime"] == EARLIER
    assert after[0]["conditions"][0]["reason"] == "InvalidHost"


def test_a_transition_has_its_time() -> None:
    after = merged([told(None, EARLIER)], told(REFUSAL, LATER))
    assert after is not None
    assert after[0]["conditions"][0]["lastTransitionTime"] == LATER


def test_what_others_say_stays() -> None:
    other = {"routerName": "other", "host": "x", "conditions": [{"type": "Admitted", "status": "False"}]}
    after = merged([other], told(None, EARLIER))
    assert after == [other, told(None, EARLIER)]
    own = told(None, EARLIER)
    own["conditions"].append({"type": "UnservableInFutureVersions", "status": "True"})
    again = merged([own, other], told(REFUSAL, LATER))
    assert again is not None
    assert again[1] == other
    assert again[0]["conditions"][1]["type"] == "UnservableInFutureVersions"


def test_what_somebody_wrote_over_rests_since_our_own_last_write_unless_we_have_news() -> None:
    now = 100.0
    written = Written(lambda: now)
    assert written.rest("one/shop") == 0  # the first time it is mended at once
    written.add("one/shop")
    now += 0.5
    written.add("one/other")
    assert written.rest("one/shop") == CONTESTED - 0.5
    now += CONTESTED - 0.5
    assert (written.rest("one/shop"), written.rest("one/other")) == (0, 0.5)
    written.forget("one/other")
    assert written.rest("one/other") == 0
