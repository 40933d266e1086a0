"""The faster decoder of header texts gives the same results as hpack's."""

import random

import pytest
from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman

from tests.harness.providers.huffman import decode

NUMBERS = random.Random(7)


def test_encoded_text_decodes_to_itself() -> None:
    encoder = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)
    for length in range(100):
        text = NUMBERS.randbytes(length)
        assert decode(encoder.encode(text)) == text


def test_nonsense_is_refused_where_hpack_refuses_it() -> None:
    refused = 0
    for length in range(1, 500):
        text = NUMBERS.randbytes(length % 12)
        try:
            expected = decode_huffman(text)
        except HPACKDecodingError as error:
            refused += 1
            with pytest.raises(HPACKDecodingError, match=str(error)):
                decode(text)
        else:
            assert decode(text) == expected
    assert refused > 100
