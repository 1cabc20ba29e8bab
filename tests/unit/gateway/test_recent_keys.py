"""What a gateway remembers of keys."""

from gateway.keys import KNOWN_S, RecentKeys


def test_the_last_keys_are_remembered_and_old_ones_forgotten() -> None:
    keys = RecentKeys(at_least=100)
    for number in range(1000):
        keys.remember(f"k{number}", number % 8)
        for back in range(min(100, number + 1)):
            assert keys.home_of(f"k{number - back}") == (number - back) % 8
    assert keys.home_of("k0") is None
    assert sum(keys.home_of(f"k{number}") is not None for number in range(1000)) <= 200


def test_a_key_has_the_home_it_had_last() -> None:
    keys = RecentKeys(at_least=2)
    keys.remember("a", 1)
    keys.remember("b", 2)
    keys.remember("a", 3)
    assert keys.home_of("a") == 3


def test_a_key_that_may_be_free_again_has_no_home() -> None:
    """A day after its reservation, and whether or not other keys have come since."""
    now = 0.0
    keys = RecentKeys(at_least=100, clock=lambda: now)
    keys.remember("a", 1)
    now = KNOWN_S * 0.6
    assert keys.home_of("a") == 1
    keys.remember("b", 2)
    now = KNOWN_S * 0.99
    assert (keys.home_of("a"), keys.home_of("b")) == (1, 2)
    now = KNOWN_S
    assert (keys.home_of("a"), keys.home_of("b")) == (None, 2)
    now = KNOWN_S * 9
    assert keys.home_of("b") is None
    keys.remember("c", 3)
    assert (keys.home_of("a"), keys.home_of("b"), keys.home_of("c")) == (None, None, 3)
