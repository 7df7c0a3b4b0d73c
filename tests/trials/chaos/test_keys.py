from tests.trials.chaos.keys import Answer, judge


def answers(*given):
    return [Answer(sent, status) for sent, status in given]


def test_withdrawn_keys_are_timed_until_they_are_refused():
    outcome = judge(
        10.0,
        staying=[answers((10.1, 200), (10.9, 200))],
        leaving=[answers((10.1, 200), (10.7, 401)), answers((10.9, 200), (11.0, 401))],
    )
    assert round(outcome.admitted_seconds, 3) == 0.9
    assert outcome[1:] == (0, {}, 6)


def test_a_key_that_is_never_refused_or_comes_back_is_noticed():
    assert judge(10.0, [], [answers((10.1, 200))]).admitted_seconds == float("inf")
    assert judge(10.0, [], [answers((10.1, 401), (10.2, 200))]).admitted_again == 1


def test_a_valid_key_that_is_refused_or_not_answered_is_lost():
    assert judge(10.0, [answers((10.1, 401), (10.2, 0), (10.3, 200))], []).lost == {401: 1, 0: 1}
