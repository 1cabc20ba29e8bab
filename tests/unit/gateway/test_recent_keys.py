"""What a gateway remembers of keys."""

from gateway.keys import RecentKeys


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
