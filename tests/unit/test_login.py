"""Who has given the password, and how often anybody may try; by a clock of the test's own."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrim.gateway.web.login import (
    IDLE_S,
    MAX_SESSIONS,
    SESSION_S,
    TRIES,
    TRIES_OF_ALL,
    TRY_EVERY_S,
    Login,
    TooManyTriesError,
    Tries,
    WrongPasswordError,
)

HOME = "192.168.1.5"


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def login(clock: Clock) -> Login:
    return Login("correct horse", clock)


def wrong(login: Login, address: str = HOME) -> None:
    with pytest.raises(WrongPasswordError, match="the password is wrong"):
        login.begin(address, "battery staple")


def test_the_right_password_begins_a_session_that_cannot_be_guessed(login: Login) -> None:
    tokens = {login.begin(HOME, "correct horse") for _ in range(20)}
    assert len(tokens) == 20
    assert all(len(token) >= 43 and login.knows(token) for token in tokens)
    assert not login.knows("")
    assert not login.knows(next(iter(tokens))[:-1])


def test_a_session_ends_when_it_is_told_to(login: Login) -> None:
    token, other = (login.begin(HOME, "correct horse") for _ in range(2))
    login.end(token)
    login.end("nonsense")
    assert not login.knows(token)
    assert login.knows(other)


def test_a_session_that_is_used_lasts_and_still_ends_some_day(login: Login, clock: Clock) -> None:
    token, idle = (login.begin(HOME, "correct horse") for _ in range(2))
    began_s = clock.now_s
    while clock.now_s - began_s < SESSION_S - IDLE_S / 2:
        clock.now_s += IDLE_S / 2
        assert login.knows(token)
    assert not login.knows(idle)
    clock.now_s = began_s + SESSION_S + 1
    assert not login.knows(token)


def test_the_oldest_of_too_many_sessions_gives_way(login: Login) -> None:
    tokens = [login.begin(HOME, "correct horse") for _ in range(MAX_SESSIONS)]
    assert login.knows(tokens[0])
    newest = login.begin(HOME, "correct horse")
    assert login.knows(newest)
    assert login.knows(tokens[0])
    assert not login.knows(tokens[1])


def test_after_some_wrong_ones_even_the_right_password_waits(login: Login, clock: Clock) -> None:
    for _ in range(TRIES):
        wrong(login)
    with pytest.raises(TooManyTriesError) as caught:
        login.begin(HOME, "correct horse")
    assert 0 < caught.value.retry_s <= TRY_EVERY_S
    assert str(caught.value.retry_s) in str(caught.value)
    login.begin("192.168.1.6", "correct horse")
    clock.now_s += caught.value.retry_s
    login.begin(HOME, "correct horse")


def test_right_passwords_cost_no_try(login: Login) -> None:
    for _ in range(10 * TRIES):
        login.begin(HOME, "correct horse")


def test_a_whole_network_of_ipv6_is_one_neighbour(login: Login) -> None:
    for number in range(TRIES):
        wrong(login, f"2001:db8::{number}")
    with pytest.raises(TooManyTriesError):
        login.begin("2001:db8::ffff:1%eth0", "correct horse")
    login.begin("2001:db8:0:1::1", "correct horse")


def test_ipv4_in_ipv6_is_the_same_neighbour(login: Login) -> None:
    for _ in range(TRIES):
        wrong(login, f"::ffff:{HOME}")
    with pytest.raises(TooManyTriesError):
        login.begin(HOME, "correct horse")


def test_many_addresses_help_nobody(login: Login, clock: Clock) -> None:
    for number in range(TRIES_OF_ALL):
        wrong(login, f"10.0.{number}.1")
    with pytest.raises(TooManyTriesError):
        login.begin("10.9.9.9", "correct horse")
    clock.now_s += 60
    login.begin("10.9.9.9", "correct horse")


def test_a_session_goes_on_whatever_others_try(login: Login) -> None:
    token = login.begin(HOME, "correct horse")
    for number in range(TRIES_OF_ALL):
        wrong(login, f"10.0.{number}.1")
    assert login.knows(token)


@given(st.lists(st.tuples(st.integers(0, 2000), st.floats(0, 100)), max_size=200))
def test_no_neighbour_has_more_tries_than_the_limit_allows(steps: list[tuple[int, float]]) -> None:
    clock = Clock()
    tries = Tries(clock)
    spent: dict[str, int] = {}
    for number, pause_s in steps:
        clock.now_s += pause_s
        address = f"10.0.{number % 3}.1"
        with contextlib.suppress(TooManyTriesError):
            tries.check(address)
            tries.spend(address)
            spent[address] = spent.get(address, 0) + 1
    for count in spent.values():
        assert count <= TRIES + (clock.now_s - 1000) / TRY_EVERY_S + 1
