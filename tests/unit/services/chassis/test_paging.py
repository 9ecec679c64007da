"""A page token works for the query it came from, and for no other."""

import pytest
from tunesmith.job.v1.job_service_pb2 import ListJobsRequest

from services.chassis.errors import InvalidArgument
from services.chassis.paging import decode_token, encode_token, split_page


def test_a_token_brings_its_key_back_whatever_the_page_size() -> None:
    token = encode_token(ListJobsRequest(provider="local", page_size=10), "key")
    assert decode_token(ListJobsRequest(provider="local", page_size=20, page_token=token)) == "key"


@pytest.mark.parametrize("token", ["nonsense", "e30=", encode_token(ListJobsRequest(provider="other"), "key")])
def test_a_foreign_token_is_refused_with_its_field(token: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        decode_token(ListJobsRequest(provider="local", page_token=token))
    assert caught.value.violations[0][0] == "page_token"


def test_the_first_page_has_no_key_and_the_last_no_successor() -> None:
    assert decode_token(ListJobsRequest()) is None
    assert split_page([1, 2, 3], 2) == ([1, 2], True)
    assert split_page([1, 2], 2) == ([1, 2], False)
