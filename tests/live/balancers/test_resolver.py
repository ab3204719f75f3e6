"""A resolver on real UDP sockets: what it asks, from where, and what it tells stub clients."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.dns.message import NO_SUCH_NAME, SERVER_FAILURE, Message
from simulator.dns.zone import FORGED_ADDRESS, name_of, true_addresses
from simulator.live.balancers.resolver import complaint_of, open_front
from simulator.records import Call, Ending, Hop
from tests.support.resolvers import MS, POOL, SERVER, resolving, udp


async def test_a_question_is_passed_on_from_the_pool_and_its_answer_back() -> None:
    async with resolving() as here:
        here.ask(ident=77)
        question, peer = await here.question()
        assert question.name == name_of(0)
        assert POOL[0] <= peer[1] <= POOL[1]
        here.answer(question, peer)
        told = await here.told()
        assert (told.ident, told.addresses, told.rcode) == (77, true_addresses(0, 0), 0)
        (dial,) = here.rows("dials")
        assert (dial["port"], dial["backend"], dial["error"]) == (peer[1], 0, 0)
        assert here.rows("refusals") == []
        counters = here.role.counters()
        assert (counters["accepted"], counters["dialed"], counters["active"]) == (1, 1, 0)
        assert counters["dns"]["answered"] == 1
        assert counters["picks"] == {"0": 1}


async def test_the_pool_is_told_once_and_the_kernel_shows_it() -> None:
    async with resolving(pool_size=40, exclude=((POOL[0], POOL[0] + 900),)) as here:
        (pool,) = [head for head, _ in here.hear() if head["is"] == "pool"]
        assert len(set(pool["ports"])) == 40
        assert all(POOL[0] + 900 < port <= POOL[1] for port in pool["ports"])
        assert pool["seen_by_kernel"] == 40
        assert here.role.counters()["fds"] == 41
        here.role.on_message({"do": "membership", "insert": [], "remove": [0], "change": 5})
        words = [head["is"] for head, _ in here.hear()]
        assert words == ["pool", "members", "changed"]


async def test_a_wrong_answer_changes_nothing_and_the_right_one_still_counts() -> None:
    async with resolving(servers=2) as here:
        here.ask()
        question, peer = await here.question()
        here.answer(question, peer, ident=question.ident ^ 1)
        here.answer(question, peer, server=1)  # right but for who says it
        here.answer(question, peer, name=name_of(9))
        here.servers[0].sendto(b"rubbish", peer)
        here.answer(question, peer)
        assert (await here.told()).addresses == true_addresses(0, 0)
        dns = here.role.counters()["dns"]
        names = ("refused_id", "refused_address", "refused_question", "refused_malformed")
        assert [dns[name] for name in names] == [1, 1, 1, 1]
        assert dns["answered"] == 1


async def test_a_forged_answer_that_fits_is_believed_and_named_for_what_it_is() -> None:
    async with resolving() as here:
        here.ask()
        question, peer = await here.question()
        here.answer(question, peer, ident=question.ident ^ 1, addresses=(FORGED_ADDRESS,))
        here.answer(question, peer, addresses=(FORGED_ADDRESS,))
        here.answer(question, peer)  # the truth comes too late
        assert (await here.told()).addresses == (FORGED_ADDRESS,)
        await here.until(lambda: here.role.asks.refused["id"] == 2)
        dns = here.role.counters()["dns"]
        assert (dns["forged"], dns["forged_believed"], dns["windows"]) == (2, 1, 0)
        (refusal,) = here.rows("refusals")
        assert (refusal["error"], refusal["hop"]) == (Ending.FORGED, Hop.BALANCER_BACKEND)
        assert refusal["peer_port"] == here.client.getsockname()[1]


@pytest.mark.parametrize("retries", [0, 1])
async def test_silence_is_asked_again_from_elsewhere_and_then_a_servfail(retries: int) -> None:
    async with resolving(timeout_ns=20 * MS, retries=retries) as here:
        here.ask(ident=5)
        told = await here.told()
        assert (told.ident, told.rcode) == (5, SERVER_FAILURE)
        assert len(here.rows("dials")) == 1 + retries
        (refusal,) = here.rows("refusals")
        assert (refusal["call"], refusal["error"]) == (Call.RECV, Ending.TIMEOUT)
        dns = here.role.counters()["dns"]
        assert (dns["timeouts"], dns["retries"], dns["asked"]) == (
            1 + retries,
            retries,
            1 + retries,
        )
        asked = {await here.question() for _ in range(1 + retries)}
        assert len({(one.ident, peer) for one, peer in asked}) == 1 + retries
        assert here.role.counters()["active"] == 0


async def test_what_a_server_says_is_passed_on_and_written_down() -> None:
    said: list[tuple[dict[str, Any], Ending]] = [
        ({"rcode": NO_SUCH_NAME, "addresses": ()}, Ending.NXDOMAIN),
        ({"rcode": SERVER_FAILURE, "addresses": ()}, Ending.SERVFAIL),
        ({"truncated": True, "addresses": ()}, Ending.TRUNCATED),
    ]
    async with resolving() as here:
        for fields, _ in said:
            here.ask()
            question, peer = await here.question()
            here.answer(question, peer, **fields)
            told = await here.told()
            assert (told.rcode, told.truncated) == (
                fields.get("rcode", 0),
                fields.get("truncated", False),
            )
        assert [row["error"] for row in here.rows("refusals")] == [code for _, code in said]


async def test_an_answer_that_is_kept_is_given_again_under_another_id() -> None:
    async with resolving(cache_ns=60_000 * MS) as here:
        here.ask(ident=1)
        question, peer = await here.question()
        here.answer(question, peer)
        await here.told()
        here.ask(ident=2)
        told = await here.told()
        assert (told.ident, told.addresses) == (2, true_addresses(0, 0))
        dns = here.role.counters()["dns"]
        assert (dns["asked"], dns["cached"]) == (1, 1)


async def test_with_no_server_left_there_is_a_servfail() -> None:
    async with resolving() as here:
        here.role.on_message({"do": "membership", "insert": [], "remove": [0]})
        here.ask()
        assert (await here.told()).rcode == SERVER_FAILURE
        (refusal,) = here.rows("refusals")
        assert (refusal["call"], refusal["error"]) == (Call.PICK, Ending.NO_BACKEND)
        assert here.rows("dials") == []


async def test_with_every_port_and_id_open_there_is_a_servfail() -> None:
    async with resolving(pool_size=1, id_bits=1) as here:
        for _ in range(3):
            here.ask()
        assert (await here.told()).rcode == SERVER_FAILURE
        (refusal,) = here.rows("refusals")
        assert refusal["error"] == Ending.NO_PORT
        assert here.role.counters()["active"] == 2


async def test_rubbish_from_clients_is_counted_and_not_answered() -> None:
    async with resolving() as here:
        here.client.sendto(b"\0", here.role._settings.front)
        here.client.sendto(bytes(2000), here.role._settings.front)
        here.ask()
        await here.question()
        assert here.role.counters()["dns"]["malformed"] == 2


def test_a_front_that_somebody_has_is_an_error() -> None:
    with udp(SERVER) as taken, pytest.raises(OSError, match="held by somebody else"):
        open_front(taken.getsockname())


def test_what_is_wrong_with_an_answer() -> None:
    def answer(**fields: object) -> Message:
        return Message(ident=1, name=name_of(0), is_answer=True, **fields)  # type: ignore[arg-type]

    assert complaint_of(answer(addresses=true_addresses(0, 0))) == 0
    assert complaint_of(answer(addresses=(FORGED_ADDRESS,))) == Ending.FORGED
    assert complaint_of(answer(rcode=5)) == Ending.SERVFAIL
