"""A tape counts what autograd would hold."""

from services.preflight.estimate.tape import Tape, Value


def test_a_storage_that_two_operations_keep_counts_once() -> None:
    tape = Tape()
    value = Value(100, 4, True)
    tape.operate([value], 100, 4, [value])
    tape.operate([value], 100, 4, [value])
    assert tape.kept_bytes == 400


def test_nothing_is_kept_where_no_gradient_flows() -> None:
    tape = Tape()
    frozen = Value(100, 4, False)
    made = tape.operate([frozen], 50, 2, [frozen])
    assert (tape.kept_bytes, made.needs_gradient) == (0, False)
    tape.operate([frozen], 50, 2, [frozen], parameter_bytes=8)
    assert tape.kept_bytes == 400


def test_a_product_keeps_what_the_others_gradient_needs() -> None:
    tape = Tape()
    moving, frozen = Value(10, 4, True), Value(10, 2, False)
    tape.multiply(moving, frozen)
    assert tape.kept_bytes == 20
    tape.multiply(moving, Value(10, 4, True))
    assert tape.kept_bytes == 20 + 40 + 40


def test_going_back_frees_what_was_kept_and_leaves_the_weights_gradients() -> None:
    tape = Tape()
    value = Value(100, 4, True)
    inner = tape.operate([value], 100, 4, [value], parameter_bytes=1000)
    output = tape.operate([inner], 100, 4, [inner], parameter_bytes=1000)
    went = tape.backward(output)
    assert went.gradient_bytes == 2000
    # The input's gradient is what is left besides.
    assert went.live == 2000 + 400
    # At the last operation of all: its input, both gradients, and both weights' gradients.
    assert went.peak_bytes == 400 + 2 * 400 + 2000


def test_a_sum_passes_its_gradient_on_without_a_copy() -> None:
    tape = Tape()
    left, right = Value(100, 4, True), Value(100, 4, True)
    assert tape.backward(tape.add(left, right)).peak_bytes == 400


def test_gradients_of_a_value_that_was_used_twice_are_added() -> None:
    tape = Tape()
    value = Value(100, 4, True)
    twice = tape.add(value, tape.scale(value))
    went = tape.backward(twice)
    # The sum's gradient went on to both; the scaled one's is added to it in place.
    assert went.peak_bytes == 2 * 400
    assert went.live == 400


def test_a_view_keeps_the_whole_alive() -> None:
    tape = Tape()
    packed = Value(300, 2, True)
    part = tape.operate([packed], 100, 2, view=True)
    tape.operate([part], 100, 2, [part])
    assert tape.kept_bytes == 600
