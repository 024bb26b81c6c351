"""The lookahead window, step by step against rules written out for single tokens."""

from __future__ import annotations

import pytest
import torch

from prompts import TEXTS, tiny, written
from tokonomy_methods.decoding.jacobi import Pool, columns, layout, longest, moved


@pytest.mark.parametrize(
    ("rows", "width", "grams", "size"), [(4, 7, 7, 4), (1, 3, 2, 1), (2, 1, 0, 3), (3, 5, 4, 2)]
)
def test_each_token_sees_what_the_rule_says(rows: int, width: int, grams: int, size: int) -> None:
    sees, depth = layout(rows, width, grams, size)
    window = [(row, column) for row in range(rows) for column in range(width)]
    chains = [(gram, place) for gram in range(grams) for place in range(size)]
    for at, (row, column) in enumerate(window):
        seen = {(0, c) for c in range(column + 1)} | {(r, column) for r in range(row + 1)}
        assert {window[i] for i in sees[at, : len(window)].nonzero()[:, 0]} == seen
        assert not sees[at, len(window) :].any()
        assert depth[at] == row + column
    for at, (gram, place) in enumerate(chains, start=len(window)):
        assert sees[at, : len(window)].nonzero()[:, 0].tolist() == [0]
        own = {chains[i] for i in sees[at, len(window) :].nonzero()[:, 0]}
        assert own == {(gram, before) for before in range(place + 1)}
        assert depth[at] == place + 1


def test_fewer_ngrams_are_the_first_part() -> None:
    whole, ahead = layout(3, 4, 5, 3)
    sees, depth = layout(3, 4, 2, 3)
    assert torch.equal(whole[: len(depth), : len(depth)], sees)
    assert torch.equal(ahead[: len(depth)], depth)


def test_a_window_fills_row_by_row_and_then_moves_down() -> None:
    """Each guess is named by how far from the prompt it was meant to stand, 0 for the last token.

    A token that the model says is one further than the token that it is said after.
    """
    rows, width = 4, 3
    window = [list(range(width + rows - 1))]
    for step in range(1, 8):
        full = len(window) == rows
        window = moved(window, [token + 1 for token in window[-1]], step, rows)
        assert window[0][0] == step
        wanted = [[step + r + c for c in range(len(window[0]))] for r in range(len(window))]
        assert window == wanted
        assert len(window) == min(step + 1, rows)
        assert len(window[0]) == max(width, width + rows - 1 - step)
        assert full == (step >= rows)


def test_columns_are_ngrams() -> None:
    assert columns([[1, 2], [3, 4], [5, 6]], [7, 8]) == [(1, 3, 5, 7), (2, 4, 6, 8)]


def test_the_pool_forgets_what_was_used_longest_ago() -> None:
    pool = Pool(2)
    for gram in [(1, 5), (1, 6), (1, 5), (1, 7), (2, 9)]:
        pool.add(gram)
    assert pool.after(1) == [(5,), (7,)]
    assert pool.after(2) == [(9,)]
    assert pool.after(3) == []


@pytest.mark.parametrize(
    ("grams", "after", "stand", "grown"),
    [
        ([], [], [], [4]),
        ([(5, 6)], [1, 2], [], [4]),
        ([(4, 6)], [1, 2], [0], [4, 1]),
        ([(4, 6)], [6, 2], [0, 1], [4, 6, 2]),  # the model's next after a full match counts
        ([(4, 9), (5, 6), (4, 6)], [6, 0, 0, 0, 6, 3], [4, 5], [4, 6, 3]),
        ([(4, 9), (4, 8)], [6, 0, 7, 0], [0], [4, 6]),  # the first of equals
    ],
)
def test_the_longest_match_stands(
    grams: list[tuple[int, ...]], after: list[int], stand: list[int], grown: list[int]
) -> None:
    assert longest(grams, 4, after) == (stand, grown)


@torch.inference_mode()
def test_a_pass_reads_each_column_as_if_it_were_alone() -> None:
    """Logits of the one pass are those of plain texts: prompt, row 0, then down the column."""
    model, batch = tiny(), written(TEXTS[0], length=8)
    rows, width, size = 3, 4, 3
    draw = torch.Generator().manual_seed(3)
    fed = torch.randint(2, 512, (rows * width + 2 * size,), generator=draw)
    reader = model.read(batch)
    reader.prompt(batch)
    logits = reader.graph(fed[None], *layout(rows, width, 2, size))[0]
    window = fed[: rows * width].reshape(rows, width)
    paths = [
        (row * width + column, [*window[0, : column + 1], *window[1 : row + 1, column]])
        for row in range(rows)
        for column in range(width)
    ]
    for gram in range(2):
        start = rows * width + gram * size
        paths += [(start + at, [fed[0], *fed[start : start + at + 1]]) for at in range(size)]
    for place, path in paths:
        text = torch.cat([batch.prompt[0], torch.stack(path)])
        plain = model.module(input_ids=text[None]).logits[0, -1]
        torch.testing.assert_close(logits[place], plain, rtol=1e-4, atol=1e-4)
    assert reader.seen == batch.prompt.shape[1] + len(fed)
