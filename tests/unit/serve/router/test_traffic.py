from causeway.serve.router.traffic import Traffic


class Held:
    def __init__(self) -> None:
        self.now = {"http-random-0": "one/shop"}

    def backends(self) -> dict[str, str]:
        return self.now


def answer(requests: int) -> str:
    return (
        "# pxname,svname,scur,stot,bin,bout,req_tot,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,econ,act,\n"
        f"http-random-0,BACKEND,1,{requests},10,20,{requests},{requests},0,0,0,0,2,\n"
        "end-tls,BACKEND,0,0,0,0,,,,,,0,1,\n"
    )


def test_a_backend_given_to_another_route_starts_from_nothing() -> None:
    held = Held()
    traffic = Traffic(held)
    assert traffic.values(answer(5))["one", "shop", "requests"] == 5
    held.now = {"http-random-0": "two/next"}
    values = traffic.values(answer(7))
    assert values["two", "next", "requests"] == 0
    assert values["two", "next", "servers"] == 2
    assert ("one", "shop", "requests") not in values
    assert traffic.values(answer(9))["two", "next", "requests"] == 2


def test_what_a_backend_that_was_nobodys_did_is_the_first_routes() -> None:
    held = Held()
    traffic = Traffic(held)
    owned, held.now = held.now, {}
    assert not traffic.values(answer(5))
    held.now = owned
    assert traffic.values(answer(7))["one", "shop", "requests"] == 2
    assert traffic.values(answer(8))["one", "shop", "requests"] == 3


def test_counters_that_begin_anew_are_taken_as_they_are() -> None:
    traffic = Traffic(Held())
    traffic.values(answer(5))
    assert traffic.values(answer(1))["one", "shop", "requests"] == 1


def test_no_answer_is_no_figures() -> None:
    assert not traffic_values("")


def traffic_values(text: str) -> object:
    return Traffic(Held()).values(text)
