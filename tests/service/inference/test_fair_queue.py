from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from valence.service.inference.fair_queue import (
    LARGE_TOKENS,
    MAX_LARGE_IN_TURN,
    QUANTUM_TOKENS,
    FairQueue,
    Ticket,
)


def work(batch):
    return batch


def make_ticket(*costs):
    return Ticket([range(cost) for cost in costs], list(costs), sum(costs), work, None)


def make_large():
    return make_ticket(*[16] * (2 * LARGE_TOKENS // 16))


def empty(queue, budget=512):
    """All batches of ``queue``, each as its tickets."""
    batches = []
    while len(queue):
        picked, _ = queue.take(budget)
        batches.append([ticket for ticket, _ in picked])
    return batches


def test_a_few_large_requests_take_turns_and_the_first_end_first():
    queue = FairQueue()
    tickets = [make_large() for _ in range(3 * MAX_LARGE_IN_TURN)]
    for ticket in tickets:
        queue.append(ticket)
    batches = empty(queue)
    assert max(len(set(batch)) for batch in batches) <= MAX_LARGE_IN_TURN
    last = [
        max(index for index, batch in enumerate(batches) if ticket in batch) for ticket in tickets
    ]
    assert all(
        before < after for before, after in zip(last, last[MAX_LARGE_IN_TURN:], strict=False)
    )
    first = [
        min(index for index, batch in enumerate(batches) if ticket in batch) for ticket in tickets
    ]
    assert first[MAX_LARGE_IN_TURN] >= last[0]


def test_a_small_request_waits_for_one_turn_of_a_few_large_ones():
    queue = FairQueue()
    for _ in range(40):
        queue.append(make_large())
    small = make_ticket(8)
    queue.append(small)
    waited = 0
    while small.waiting_items:
        waited += queue.take(512)[1]
    assert waited <= MAX_LARGE_IN_TURN * QUANTUM_TOKENS + 512


def test_a_large_request_that_is_removed_makes_room_for_the_next():
    queue = FairQueue()
    tickets = [make_large() for _ in range(MAX_LARGE_IN_TURN + 2)]
    for ticket in tickets:
        queue.append(ticket)
    queue.remove(tickets[-1])
    queue.remove(tickets[0])
    queue.remove(tickets[0])
    assert len(queue) == MAX_LARGE_IN_TURN
    taken = Counter(ticket for batch in empty(queue) for ticket in batch)
    assert taken == {ticket: len(ticket.documents) for ticket in tickets[1:-1]}
    assert (queue.items, queue.tokens) == (0, 0)


@given(
    st.lists(
        st.tuples(st.lists(st.integers(1, 900), min_size=1, max_size=6), st.booleans()), max_size=30
    ),
    st.integers(1, 2_000),
)
def test_every_document_is_taken_once_unless_it_is_removed(requests, budget):
    queue = FairQueue()
    tickets = [(make_ticket(*costs), removed) for costs, removed in requests]
    for ticket, _ in tickets:
        queue.append(ticket)
    assert queue.tokens == sum(sum(costs) for costs, _ in requests)
    for ticket, removed in tickets:
        if removed:
            queue.remove(ticket)
    taken = Counter(ticket for batch in empty(queue, budget) for ticket in batch)
    assert taken == {ticket: len(ticket.documents) for ticket, removed in tickets if not removed}
    assert (queue.items, queue.tokens, len(queue)) == (0, 0, 0)
